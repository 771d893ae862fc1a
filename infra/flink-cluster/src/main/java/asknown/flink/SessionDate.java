package asknown.flink;

import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * {@code SESSION_DATE(venue, event_time, calendar)}: the exchange-local date of the session that
 * holds the moment; NULL when the venue is closed or has no calendar.
 */
public final class SessionDate extends ScalarFunction {

  private static final long serialVersionUID = 1L;

  private transient SessionCalendar calendar;

  /** Returns the session's date as days since the epoch. */
  public @DataTypeHint(value = "DATE", bridgedTo = Integer.class) Integer eval(
      @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData venue,
      @DataTypeHint(value = "TIMESTAMP(3)", bridgedTo = TimestampData.class) TimestampData time,
      @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData packed) {
    if (venue == null || time == null) {
      return null;
    }
    if (calendar == null) {
      calendar = new SessionCalendar();
    }
    SessionCalendar.Span span = calendar.of(packed).at(venue, time.getMillisecond());
    return span == null ? null : span.tradeDate();
  }
}
