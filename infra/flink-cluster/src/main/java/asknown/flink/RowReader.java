package asknown.flink;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.avro.shaded.org.apache.avro.LogicalTypes;
import org.apache.flink.avro.shaded.org.apache.avro.Schema;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;

/**
 * Reads one writer schema straight into rows of one table, without records in between: a column
 * the table does not name is skipped, a column the writer does not have is NULL.
 *
 * <p>A record inside the record whose name is no column (the payload) is laid out flat: its fields
 * are columns of the table, all NULL when it is null.
 */
final class RowReader {

  // Beyond these an instant overflows in microseconds, or in what reads it later.
  private static final long YEAR_1 = -62_135_596_800_000L;
  private static final long YEAR_10000 = 253_402_300_800_000L;

  /** Reads or skips one value; null target type means skip. */
  @FunctionalInterface
  interface Reader {
    Object read(AvroInput in);
  }

  /** Reads the fields of a record into columns of a row. */
  @FunctionalInterface
  interface Filler {
    void fill(GenericRowData row, AvroInput in);
  }

  private RowReader() {}

  /** Returns a reader of whole records into rows of the table. */
  static Reader rows(Schema writer, RowType table) {
    Filler filler = record(writer, table);
    int width = table.getFieldCount();
    return in -> {
      GenericRowData row = new GenericRowData(width);
      filler.fill(row, in);
      return row;
    };
  }

  private static Filler record(Schema writer, RowType table) {
    List<Filler> fillers = new ArrayList<>();
    for (Schema.Field field : writer.getFields()) {
      int position = table.getFieldIndex(field.name());
      if (position < 0 && inner(field.schema()) != null) {
        fillers.add(flat(field.schema(), table));
      } else if (position < 0) {
        Reader skip = value(field.schema(), null);
        fillers.add((row, in) -> skip.read(in));
      } else {
        Reader read = value(field.schema(), table.getTypeAt(position));
        fillers.add((row, in) -> row.setField(position, read.read(in)));
      }
    }
    Filler[] all = fillers.toArray(new Filler[0]);
    return (row, in) -> {
      for (Filler one : all) {
        one.fill(row, in);
      }
    };
  }

  /** Returns the record type of a field that is a record or "null or a record"; else null. */
  static Schema inner(Schema schema) {
    if (schema.getType() == Schema.Type.RECORD) {
      return schema;
    }
    if (schema.getType() != Schema.Type.UNION || schema.getTypes().size() != 2) {
      return null;
    }
    Schema other = schema.getTypes().get(1);
    boolean optional = schema.getTypes().get(0).getType() == Schema.Type.NULL;
    return optional && other.getType() == Schema.Type.RECORD ? other : null;
  }

  private static Filler flat(Schema schema, RowType table) {
    Filler filler = record(inner(schema), table);
    if (schema.getType() == Schema.Type.RECORD) {
      return filler;
    }
    return (row, in) -> {
      int branch = in.readInt();
      if (branch == 1) {
        filler.fill(row, in);
      } else if (branch != 0) {
        throw new MalformedAvroException("no branch " + branch + " in a union");
      }
    };
  }

  private static Reader value(Schema writer, LogicalType target) {
    return switch (writer.getType()) {
      case RECORD -> skippedRecord(writer, target);
      case UNION -> union(writer, target);
      case NULL -> in -> null;
      case MAP -> map(writer, target);
      case ARRAY -> skippedArray(writer, target);
      default -> primitive(writer, target);
    };
  }

  private static Reader skippedRecord(Schema writer, LogicalType target) {
    if (target != null) {
      throw mismatch(writer, target);
    }
    List<Reader> skips = new ArrayList<>();
    for (Schema.Field field : writer.getFields()) {
      skips.add(value(field.schema(), null));
    }
    return in -> {
      skips.forEach(skip -> skip.read(in));
      return null;
    };
  }

  private static Reader union(Schema writer, LogicalType target) {
    List<Reader> branches = new ArrayList<>();
    for (Schema branch : writer.getTypes()) {
      branches.add(value(branch, target));
    }
    Reader[] readers = branches.toArray(new Reader[0]);
    return in -> {
      int branch = in.readInt();
      if (branch < 0 || branch >= readers.length) {
        throw new MalformedAvroException("no branch " + branch + " in a union");
      }
      return readers[branch].read(in);
    };
  }

  private static Reader map(Schema writer, LogicalType target) {
    Reader value = value(writer.getValueType(), target == null ? null : target.getChildren().get(1));
    return in -> {
      Map<Object, Object> out = target == null ? null : new HashMap<>();
      for (long n = block(in); n != 0; n = block(in)) {
        for (long i = 0; i < n; i++) {
          byte[] key = in.readString();
          Object read = value.read(in);
          if (out != null) {
            out.put(StringData.fromBytes(key), read);
          }
        }
      }
      return out == null ? null : new GenericMapData(out);
    };
  }

  private static Reader skippedArray(Schema writer, LogicalType target) {
    if (target != null) {
      throw mismatch(writer, target);
    }
    Reader element = value(writer.getElementType(), null);
    return in -> {
      for (long n = block(in); n != 0; n = block(in)) {
        for (long i = 0; i < n; i++) {
          element.read(in);
        }
      }
      return null;
    };
  }

  // A block of zero-sized elements could claim any count and cost nothing to send.
  private static long block(AvroInput in) {
    long count = in.readLong();
    if (count < 0) {
      count = -count;
      in.readLong();
    }
    if (count < 0 || count > Integer.MAX_VALUE) {
      throw new MalformedAvroException("a block of " + count + " elements");
    }
    return count;
  }

  private static Reader primitive(Schema writer, LogicalType target) {
    LogicalTypeRoot root = target == null ? null : target.getTypeRoot();
    return switch (writer.getType()) {
      case INT -> integer(writer, target, root);
      case LONG -> longInteger(writer, target, root);
      case STRING -> expect(writer, target, LogicalTypeRoot.VARCHAR,
          in -> StringData.fromBytes(in.readString()));
      case BYTES -> bytes(writer, target);
      case DOUBLE -> expect(writer, target, LogicalTypeRoot.DOUBLE, AvroInput::readDouble);
      case FLOAT -> expect(writer, target, LogicalTypeRoot.FLOAT, AvroInput::readFloat);
      case BOOLEAN -> expect(writer, target, LogicalTypeRoot.BOOLEAN, AvroInput::readBoolean);
      case ENUM -> expect(writer, target, LogicalTypeRoot.VARCHAR, enumeration(writer));
      case FIXED -> expect(writer, target, LogicalTypeRoot.VARBINARY,
          in -> in.readFixed(writer.getFixedSize()));
      default -> throw mismatch(writer, target);
    };
  }

  private static Reader integer(Schema writer, LogicalType target, LogicalTypeRoot root) {
    if (root == LogicalTypeRoot.BIGINT) {
      return AvroInput::readLong;
    }
    if (root == LogicalTypeRoot.DATE) {
      return AvroInput::readInt;
    }
    return expect(writer, target, LogicalTypeRoot.INTEGER, AvroInput::readInt);
  }

  private static Reader longInteger(Schema writer, LogicalType target, LogicalTypeRoot root) {
    if (root != LogicalTypeRoot.TIMESTAMP_WITHOUT_TIME_ZONE) {
      return expect(writer, target, LogicalTypeRoot.BIGINT, AvroInput::readLong);
    }
    if (!(writer.getLogicalType() instanceof LogicalTypes.TimestampMillis)) {
      throw mismatch(writer, target);
    }
    return in -> {
      long millis = in.readLong();
      if (millis < YEAR_1 || millis >= YEAR_10000) {
        // Only noted: bytes that are no record at all may hold anything.
        in.noteOutOfRange();
        return null;
      }
      return TimestampData.fromEpochMillis(millis);
    };
  }

  private static Reader bytes(Schema writer, LogicalType target) {
    if (!(target instanceof DecimalType wanted)) {
      return expect(writer, target, LogicalTypeRoot.VARBINARY, AvroInput::readBytes);
    }
    if (!(writer.getLogicalType() instanceof LogicalTypes.Decimal written)
        || written.getScale() != wanted.getScale()
        || written.getPrecision() != wanted.getPrecision()) {
      throw mismatch(writer, target);
    }
    int precision = wanted.getPrecision();
    int scale = wanted.getScale();
    long limit = (long) Math.pow(10, Math.min(precision, 18)); // exact: 5^18 has 42 bits
    return in -> decimal(in.readBytes(), precision, scale, limit);
  }

  private static DecimalData decimal(byte[] unscaled, int precision, int scale, long limit) {
    if (unscaled.length == 0) {
      throw new MalformedAvroException("a decimal of no bytes");
    }
    if (unscaled.length > 8 || precision > 18) {
      DecimalData value = DecimalData.fromUnscaledBytes(unscaled, precision, scale);
      if (value == null) {
        throw new MalformedAvroException("a decimal of more than " + precision + " digits");
      }
      return value;
    }
    long value = unscaled[0];
    for (int i = 1; i < unscaled.length; i++) {
      value = value << 8 | (unscaled[i] & 0xff);
    }
    if (value <= -limit || value >= limit) {
      throw new MalformedAvroException("a decimal of more than " + precision + " digits");
    }
    return DecimalData.fromUnscaledLong(value, precision, scale);
  }

  private static Reader enumeration(Schema writer) {
    List<String> symbols = writer.getEnumSymbols();
    return in -> {
      int index = in.readInt();
      if (index < 0 || index >= symbols.size()) {
        throw new MalformedAvroException("no symbol " + index + " in an enum");
      }
      return StringData.fromString(symbols.get(index));
    };
  }

  private static Reader expect(
      Schema writer, LogicalType target, LogicalTypeRoot root, Reader reader) {
    if (target != null && target.getTypeRoot() != root) {
      throw mismatch(writer, target);
    }
    return reader;
  }

  private static MalformedAvroException mismatch(Schema writer, LogicalType target) {
    return new MalformedAvroException(
        "expected a column of type " + target + ", found Avro " + writer);
  }
}
