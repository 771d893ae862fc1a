package asknown.flink;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Avro's binary primitives over a byte array; every read is checked against its end. */
final class AvroInput {

  private byte[] bytes;
  private int position;
  private boolean outOfRange;

  void reset(byte[] from, int start) {
    bytes = from;
    position = start;
    outOfRange = false;
  }

  /** Notes a value that is well written and that nothing can compute with. */
  void noteOutOfRange() {
    outOfRange = true;
  }

  boolean isOutOfRange() {
    return outOfRange;
  }

  boolean atEnd() {
    return position == bytes.length;
  }

  long readLong() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      byte b = next();
      value |= (long) (b & 0x7f) << shift;
      if (b >= 0) {
        return (value >>> 1) ^ -(value & 1);
      }
    }
    throw new MalformedAvroException("a number longer than 64 bits");
  }

  int readInt() {
    long value = readLong();
    if (value != (int) value) {
      throw new MalformedAvroException("expected an int, found " + value);
    }
    return (int) value;
  }

  boolean readBoolean() {
    return next() != 0;
  }

  float readFloat() {
    return ByteBuffer.wrap(take(4)).order(java.nio.ByteOrder.LITTLE_ENDIAN).getFloat();
  }

  double readDouble() {
    return ByteBuffer.wrap(take(8)).order(java.nio.ByteOrder.LITTLE_ENDIAN).getDouble();
  }

  byte[] readBytes() {
    return take(readLength());
  }

  byte[] readFixed(int size) {
    return take(size);
  }

  /** Returns the bytes of a string that is valid UTF-8; readers downstream rely on it. */
  byte[] readString() {
    byte[] text = take(readLength());
    for (byte b : text) {
      if (b < 0) {
        checkUtf8(text);
        break;
      }
    }
    return text;
  }

  void skip(long count) {
    if (count < 0 || count > bytes.length - position) {
      throw new MalformedAvroException("the record ends early");
    }
    position += (int) count;
  }

  int readLength() {
    long length = readLong();
    if (length < 0 || length > bytes.length - position) {
      throw new MalformedAvroException("the record ends early");
    }
    return (int) length;
  }

  private static void checkUtf8(byte[] text) {
    try {
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT)
          .decode(ByteBuffer.wrap(text));
    } catch (CharacterCodingException e) {
      throw new MalformedAvroException("a string that is not UTF-8");
    }
  }

  private byte next() {
    if (position >= bytes.length) {
      throw new MalformedAvroException("the record ends early");
    }
    return bytes[position++];
  }

  private byte[] take(int length) {
    if (length > bytes.length - position) {
      throw new MalformedAvroException("the record ends early");
    }
    byte[] taken = Arrays.copyOfRange(bytes, position, position + length);
    position += length;
    return taken;
  }
}
