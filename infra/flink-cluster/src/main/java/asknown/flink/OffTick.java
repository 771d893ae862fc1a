package asknown.flink;

import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * {@code OFF_TICK(price, tick)}: whether a price leaves a remainder; NULL when one is missing.
 *
 * <p>The same as {@code MOD(price, tick) <> 0}, which divides two BigDecimals for each record. Of
 * equal scale, the remainder of the unscaled numbers is the remainder.
 */
public final class OffTick extends ScalarFunction {

  private static final long serialVersionUID = 1L;

  /** Returns whether the price is no multiple of the tick. */
  public @DataTypeHint("BOOLEAN") Boolean eval(
      @DataTypeHint(value = "DECIMAL(18, 8)", bridgedTo = DecimalData.class) DecimalData price,
      @DataTypeHint(value = "DECIMAL(18, 8)", bridgedTo = DecimalData.class) DecimalData tick) {
    if (price == null || tick == null) {
      return null;
    }
    return price.toUnscaledLong() % tick.toUnscaledLong() != 0;
  }
}
