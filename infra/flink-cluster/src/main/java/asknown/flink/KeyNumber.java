package asknown.flink;

import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * {@code KEY_NUMBER(raw_key)}: 64 bits that stand for a key where a batch is sorted.
 *
 * <p>Flink compares the first 16 bytes of a row's sort key without looking at the row. The text of a
 * key fills them and leaves none for the event time, so rows of one key are looked at again and
 * again. A number leaves eight. Two keys can have one number (with a million keys, once in 37
 * million runs): {@code KEY_TIME} sees it and ends the run, so nothing is ever mixed.
 */
public final class KeyNumber extends ScalarFunction {

  private static final long serialVersionUID = 1L;

  /** Returns the number of a key; 0 of none. */
  public @DataTypeHint("BIGINT NOT NULL") long eval(
      @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData key) {
    if (key == null) {
      return 0L;
    }
    long number = 0xcbf29ce484222325L;  // FNV-1a
    for (byte one : key.toBytes()) {
      number = (number ^ (one & 0xff)) * 0x100000001b3L;
    }
    // The last step of MurmurHash3, so that all bits depend on all bytes.
    number = (number ^ (number >>> 33)) * 0xff51afd7ed558ccdL;
    number = (number ^ (number >>> 33)) * 0xc4ceb9fe1a85ec53L;
    return number ^ (number >>> 33);
  }
}
