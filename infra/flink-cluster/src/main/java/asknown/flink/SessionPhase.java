package asknown.flink;

import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * {@code SESSION_PHASE(venue, event_time, calendar)}: pre_open, regular, post or closed; NULL for a
 * venue without a calendar.
 */
public final class SessionPhase extends ScalarFunction {

  private static final long serialVersionUID = 1L;

  private transient SessionCalendar calendar;

  /** Returns the phase of the venue's session at that moment. */
  public @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData eval(
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
    if (span != null) {
      return span.phase();
    }
    return calendar.knows(venue) ? SessionCalendar.CLOSED : null;
  }
}
