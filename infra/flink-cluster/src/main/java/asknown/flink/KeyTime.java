package asknown.flink;

import java.util.Arrays;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.FunctionHint;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.functions.AggregateFunction;

/**
 * {@code KEY_TIME(raw_key, event_time)} OVER (PARTITION BY KEY_NUMBER(raw_key) ORDER BY event_time):
 * the newest event time of the key so far; fails where two keys have one number.
 */
@FunctionHint(output = @DataTypeHint(value = "TIMESTAMP(3)", bridgedTo = TimestampData.class))
public final class KeyTime extends AggregateFunction<TimestampData, KeyTime.Seen> {

  private static final long serialVersionUID = 1L;

  /** The key, and its newest time. */
  public static class Seen {
    /** Bytes of the key; null before the first row. */
    public @DataTypeHint("BYTES") byte[] key;

    /** Milliseconds since 1970. */
    public long time = Long.MIN_VALUE;
  }

  @Override
  public Seen createAccumulator() {
    return new Seen();
  }

  /** Takes one row. */
  public void accumulate(
      Seen seen,
      @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData key,
      @DataTypeHint(value = "TIMESTAMP(3)", bridgedTo = TimestampData.class) TimestampData time) {
    if (key != null) {
      byte[] bytes = key.toBytes();
      if (seen.key == null) {
        seen.key = bytes.clone();
      } else if (!Arrays.equals(seen.key, bytes)) {
        throw new IllegalStateException(
            "ASKNOWN-JOB-020 expected one key of each number, found two of "
                + new KeyNumber().eval(key) + ": " + new String(seen.key) + " and " + key
                + ". Next: another number in KeyNumber.java.");
      }
    }
    if (time != null) {
      seen.time = Math.max(seen.time, time.getMillisecond());
    }
  }

  @Override
  public TimestampData getValue(Seen seen) {
    return seen.time == Long.MIN_VALUE ? null : TimestampData.fromEpochMillis(seen.time);
  }
}
