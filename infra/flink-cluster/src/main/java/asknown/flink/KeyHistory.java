package asknown.flink;

import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.FunctionHint;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.functions.AggregateFunction;

/**
 * {@code KEY_HISTORY(event_time, event_id, offset, price, price_factor, listing_id)}: what the rules
 * that remember have to know of a key, and the copies of its latest millisecond.
 *
 * <ul>
 *   <li>{@code repeated}: as {@code REPEATED_OFFSETS} says it.
 *   <li>{@code prior_offset}: the greatest offset among the records of the last earlier millisecond;
 *       of the copies of an event the smallest one counts.
 *   <li>{@code prior_price}: the price of the last earlier record that has one; of one millisecond
 *       the record with the greatest offset counts.
 *   <li>{@code prior_factor}: the factor that the key had at that time.
 *   <li>{@code prior_time}: the event time of that record.
 * </ul>
 *
 * <p>Used OVER (PARTITION BY raw key ORDER BY event time, RANGE frame), over records and change
 * points: a row without event_id is a change point, and only these carry factor and listing. A key
 * that comes to mean another listing forgets its price. The answer does not depend on the order
 * within a millisecond. What it means is defined by asknown/quality/rules/history.py.
 */
@FunctionHint(
    output =
        @DataTypeHint(
            value =
                "ROW<repeated ARRAY<BIGINT>, prior_offset BIGINT, prior_time TIMESTAMP(3),"
                    + " prior_price DOUBLE, prior_factor DOUBLE>",
            bridgedTo = RowData.class))
public final class KeyHistory extends AggregateFunction<RowData, KeyHistory.Memory> {

  private static final long serialVersionUID = 1L;
  private static final long NONE = -1;

  /** The rows of the latest event time, and what is left of those before it. */
  public static final class Memory extends RepeatedOffsets.Peers {
    /** Price of this millisecond's record with the greatest offset; NaN when none has one. */
    public double price = Double.NaN;

    /** That offset. */
    public long priceOffset = NONE;

    /** Factor the key has now; NaN before its first change point. */
    public double factor = Double.NaN;

    /** Listing the key means now. */
    public @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData listing;

    /** Greatest offset of the last earlier millisecond. */
    public long priorOffset = NONE;

    /** Event time of the record below, in milliseconds. */
    public long priorTime;

    /** Last earlier price; NaN when there is none. */
    public double priorPrice = Double.NaN;

    /** Factor of its time. */
    public double priorFactor = Double.NaN;
  }

  @Override
  public Memory createAccumulator() {
    return new Memory();
  }

  /** Takes one row with its price as the contracts type it. */
  public void accumulate(
      Memory memory,
      @DataTypeHint(value = "TIMESTAMP(3)", bridgedTo = TimestampData.class) TimestampData time,
      @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData id,
      @DataTypeHint("BIGINT") Long offset,
      @DataTypeHint(value = "DECIMAL(18, 8)", bridgedTo = DecimalData.class) DecimalData price,
      @DataTypeHint("DOUBLE") Double factor,
      @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData listing) {
    if (arrive(memory, time, id, offset, factor, listing) && price != null) {
      // The same number as CAST(price AS DOUBLE), which the rules compare it with.
      price(memory, price.toUnscaledLong() / 1e8, offset);
    }
  }

  /** Takes one row with a price that was computed. */
  public void accumulate(
      Memory memory,
      @DataTypeHint(value = "TIMESTAMP(3)", bridgedTo = TimestampData.class) TimestampData time,
      @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData id,
      @DataTypeHint("BIGINT") Long offset,
      @DataTypeHint("DOUBLE") Double price,
      @DataTypeHint("DOUBLE") Double factor,
      @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData listing) {
    if (arrive(memory, time, id, offset, factor, listing) && price != null) {
      price(memory, price, offset);
    }
  }

  /** Takes what a row says besides its price; returns whether it is a record of this time. */
  private static boolean arrive(
      Memory memory,
      TimestampData time,
      StringData id,
      Long offset,
      Double factor,
      StringData listing) {
    // A row behind its key is set aside as late: it has no say in what comes after it.
    if (time == null || time.getMillisecond() < memory.time) {
      return false;
    }
    long millis = time.getMillisecond();
    if (millis > memory.time) {
      close(memory);
      memory.time = millis;
    }
    if (id == null) {
      change(memory, factor, listing);
      return false;
    }
    if (offset == null) {
      return false;
    }
    RepeatedOffsets.take(memory, id, offset);
    return true;
  }

  private static void close(Memory memory) {
    if (memory.id != null) {
      long greatest = memory.offset;
      for (int i = 0; memory.otherOffsets != null && i < memory.otherOffsets.length; i++) {
        greatest = Math.max(greatest, memory.otherOffsets[i]);
      }
      memory.priorOffset = greatest;
    }
    if (!Double.isNaN(memory.price) && !Double.isNaN(memory.factor)) {
      memory.priorPrice = memory.price;
      memory.priorFactor = memory.factor;
      memory.priorTime = memory.time;
    }
    memory.price = Double.NaN;
    memory.priceOffset = NONE;
    RepeatedOffsets.forget(memory);
  }

  private static void change(Memory memory, Double factor, StringData listing) {
    memory.factor = factor == null ? Double.NaN : factor;
    if (listing == null ? memory.listing != null : !listing.equals(memory.listing)) {
      // The row behind the string is reused in a batch: keep bytes of our own.
      memory.listing = listing == null ? null : StringData.fromBytes(listing.toBytes());
      memory.priorPrice = Double.NaN;
    }
  }

  private static void price(Memory memory, double price, long offset) {
    if (offset > memory.priceOffset) {
      memory.price = price;
      memory.priceOffset = offset;
    }
  }

  @Override
  public RowData getValue(Memory memory) {
    boolean priced = !Double.isNaN(memory.priorPrice);
    return GenericRowData.of(
        memory.repeated == null ? null : new GenericArrayData(memory.repeated),
        memory.priorOffset == NONE ? null : memory.priorOffset,
        priced ? TimestampData.fromEpochMillis(memory.priorTime) : null,
        priced ? memory.priorPrice : null,
        priced ? memory.priorFactor : null);
  }
}
