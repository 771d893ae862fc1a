package asknown.flink;

import java.util.Arrays;

/** Avro's binary primitives into one growing buffer. */
final class AvroOutput {

  private byte[] bytes = new byte[512];
  private int position;

  void reset() {
    position = 0;
  }

  byte[] copy() {
    return Arrays.copyOf(bytes, position);
  }

  void writeHeader(int schemaId) {
    room(5);
    bytes[position++] = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes[position++] = (byte) (schemaId >>> shift);
    }
  }

  void writeLong(long value) {
    room(10);
    long n = (value << 1) ^ (value >> 63);
    while ((n & ~0x7fL) != 0) {
      bytes[position++] = (byte) (n & 0x7f | 0x80);
      n >>>= 7;
    }
    bytes[position++] = (byte) n;
  }

  void writeBoolean(boolean value) {
    room(1);
    bytes[position++] = (byte) (value ? 1 : 0);
  }

  void writeFixedLittleEndian(long value, int width) {
    room(width);
    for (int i = 0; i < width; i++) {
      bytes[position++] = (byte) (value >>> (8 * i));
    }
  }

  void writeBytes(byte[] value) {
    writeLong(value.length);
    room(value.length);
    System.arraycopy(value, 0, bytes, position, value.length);
    position += value.length;
  }

  /** Writes a decimal's unscaled value in the fewest big-endian bytes. */
  void writeUnscaled(long value) {
    int width = (Long.SIZE - Long.numberOfLeadingZeros(value < 0 ? ~value : value)) / 8 + 1;
    writeLong(width);
    room(width);
    for (int i = width - 1; i >= 0; i--) {
      bytes[position++] = (byte) (value >>> (8 * i));
    }
  }

  private void room(int more) {
    if (position + more > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, position + more));
    }
  }
}
