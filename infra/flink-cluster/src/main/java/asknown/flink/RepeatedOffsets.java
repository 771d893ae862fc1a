package asknown.flink;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.FunctionHint;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.functions.AggregateFunction;

/**
 * {@code REPEATED_OFFSETS(event_time, event_id, offset)}: the offsets, among the rows of the latest
 * event time, that repeat an event_id which a smaller offset already has; NULL when none does.
 *
 * <p>Used as an aggregate OVER (PARTITION BY raw key ORDER BY event time, RANGE frame): a repeated
 * event carries the same event time, so all its copies are peers and the frame ends with the last
 * of them. The state is the ids of one millisecond of one key; the answer does not depend on the
 * order of arrival, so it is the same in a stream and in a batch.
 */
@FunctionHint(output = @DataTypeHint("ARRAY<BIGINT>"))
public final class RepeatedOffsets extends AggregateFunction<Long[], RepeatedOffsets.Peers> {

  private static final long serialVersionUID = 1L;

  /** The rows of the latest event time. */
  public static class Peers {
    /** Event time of the rows below, in milliseconds. */
    public long time = Long.MIN_VALUE;

    /** The first row: nearly always the only one of its millisecond. */
    public @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData id;

    /** Its offset, or the smallest one among its repetitions. */
    public long offset;

    /** Further ids of this millisecond. */
    public @DataTypeHint("ARRAY<STRING>") String[] otherIds;

    /** Smallest offset of each of them. */
    public @DataTypeHint("ARRAY<BIGINT>") Long[] otherOffsets;

    /** Offsets that repeat an id. */
    public @DataTypeHint("ARRAY<BIGINT>") Long[] repeated;
  }

  @Override
  public Peers createAccumulator() {
    return new Peers();
  }

  /** Takes one row; a row without id or offset is none of ours. */
  public void accumulate(
      Peers peers,
      @DataTypeHint(value = "TIMESTAMP(3)", bridgedTo = TimestampData.class) TimestampData time,
      @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData id,
      @DataTypeHint("BIGINT") Long offset) {
    if (id == null || time == null || offset == null) {
      return;
    }
    long millis = time.getMillisecond();
    if (millis != peers.time) {
      forget(peers);
      peers.time = millis;
    }
    take(peers, id, offset);
  }

  /** Forgets the rows of the latest event time. */
  static void forget(Peers peers) {
    peers.id = null;
    peers.otherIds = null;
    peers.otherOffsets = null;
    peers.repeated = null;
  }

  /** Takes one more row of the latest event time. */
  static void take(Peers peers, StringData id, long offset) {
    if (peers.id == null) {
      // The row behind the string is reused in a batch: keep bytes of our own.
      peers.id = StringData.fromBytes(id.toBytes());
      peers.offset = offset;
    } else if (id.equals(peers.id)) {
      peers.repeated = append(peers.repeated, Math.max(peers.offset, offset));
      peers.offset = Math.min(peers.offset, offset);
    } else {
      other(peers, id.toString(), offset);
    }
  }

  private static void other(Peers peers, String id, long offset) {
    int count = peers.otherIds == null ? 0 : peers.otherIds.length;
    for (int i = 0; i < count; i++) {
      if (peers.otherIds[i].equals(id)) {
        peers.repeated = append(peers.repeated, Math.max(peers.otherOffsets[i], offset));
        peers.otherOffsets[i] = Math.min(peers.otherOffsets[i], offset);
        return;
      }
    }
    List<String> ids = count == 0 ? new ArrayList<>() : new ArrayList<>(List.of(peers.otherIds));
    ids.add(id);
    peers.otherIds = ids.toArray(new String[0]);
    peers.otherOffsets = append(peers.otherOffsets, offset);
  }

  private static Long[] append(Long[] before, long value) {
    int count = before == null ? 0 : before.length;
    Long[] after = new Long[count + 1];
    for (int i = 0; i < count; i++) {
      after[i] = before[i];
    }
    after[count] = value;
    return after;
  }

  @Override
  public Long[] getValue(Peers peers) {
    return peers.repeated;
  }
}
