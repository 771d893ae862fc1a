package asknown.flink;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.avro.shaded.org.apache.avro.LogicalTypes;
import org.apache.flink.avro.shaded.org.apache.avro.Schema;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;

/**
 * Writes rows of one table straight in one Avro schema, without records in between.
 *
 * <p>A record inside the record whose name is no column (the payload) is written from columns of
 * the same row; it is null when the row is a heartbeat.
 */
final class RowWriter {

  /** Writes field {@code position} of {@code row}. */
  @FunctionalInterface
  interface Writer {
    void write(RowData row, int position, AvroOutput out);
  }

  private RowWriter() {}

  private static final StringData HEARTBEAT = StringData.fromString("heartbeat");

  /** Returns a writer of whole rows; a field that is no column of the table must be optional. */
  static Writer record(Schema schema, RowType table, String path) {
    List<Schema.Field> fields = schema.getFields();
    Writer[] writers = new Writer[fields.size()];
    int[] positions = new int[fields.size()];
    for (int i = 0; i < writers.length; i++) {
      Schema.Field field = fields.get(i);
      String name = path + field.name();
      positions[i] = table.getFieldIndex(field.name());
      if (positions[i] >= 0) {
        writers[i] = field(field.schema(), table.getTypeAt(positions[i]), name);
      } else if (RowReader.inner(field.schema()) != null) {
        writers[i] = flat(field.schema(), table, name);
      } else if (isOptional(field.schema())) {
        // Registered while a job of the older contract runs; a restart must not end that job.
        writers[i] = (row, position, out) -> out.writeLong(0);
      } else {
        throw mismatch(name, "a column", "none");
      }
    }
    return (row, ignored, out) -> {
      for (int i = 0; i < writers.length; i++) {
        writers[i].write(row, positions[i], out);
      }
    };
  }

  private static Writer flat(Schema schema, RowType table, String name) {
    Writer writer = record(RowReader.inner(schema), table, name + ".");
    if (schema.getType() == Schema.Type.RECORD) {
      return writer;
    }
    int source = table.getFieldIndex("source");
    return (row, ignored, out) -> {
      boolean beat =
          source >= 0 && !row.isNullAt(source) && HEARTBEAT.equals(row.getString(source));
      out.writeLong(beat ? 0 : 1);
      if (!beat) {
        writer.write(row, 0, out);
      }
    };
  }

  /** Requires that every column is written: a value must not be lost on its way to Kafka. */
  static void requireEveryColumn(Schema schema, RowType table, String path) {
    List<String> missing = new ArrayList<>(table.getFieldNames());
    for (Schema.Field field : schema.getFields()) {
      Schema inner = missing.remove(field.name()) ? null : RowReader.inner(field.schema());
      if (inner != null) {
        inner.getFields().forEach(each -> missing.remove(each.name()));
      }
    }
    if (!missing.isEmpty()) {
      throw mismatch(path + missing.get(0), "a field of the registered schema", "none");
    }
  }

  private static boolean isOptional(Schema schema) {
    return schema.getType() == Schema.Type.UNION
        && schema.getTypes().get(0).getType() == Schema.Type.NULL;
  }

  private static Writer field(Schema schema, LogicalType type, String name) {
    if (schema.getType() != Schema.Type.UNION) {
      Writer writer = value(schema, type, name);
      return (row, position, out) -> {
        if (row.isNullAt(position)) {
          throw new IllegalStateException(
              "ASKNOWN-AVRO-003 " + name + ": expected a value, found NULL in " + row);
        }
        writer.write(row, position, out);
      };
    }
    List<Schema> branches = schema.getTypes();
    if (branches.size() != 2 || branches.get(0).getType() != Schema.Type.NULL) {
      throw mismatch(name, "a union of null and one type", schema.toString());
    }
    Writer writer = value(branches.get(1), type, name);
    return (row, position, out) -> {
      boolean missing = row.isNullAt(position);
      out.writeLong(missing ? 0 : 1);
      if (!missing) {
        writer.write(row, position, out);
      }
    };
  }

  private static Writer value(Schema schema, LogicalType type, String name) {
    return switch (schema.getType()) {
      case STRING -> {
        require(type, LogicalTypeRoot.VARCHAR, name);
        yield (row, i, out) -> out.writeBytes(row.getString(i).toBytes());
      }
      case INT -> (row, i, out) -> out.writeLong(row.getInt(i));
      case LONG -> longInteger(schema, type, name);
      case DOUBLE -> {
        require(type, LogicalTypeRoot.DOUBLE, name);
        yield (row, i, out) ->
            out.writeFixedLittleEndian(Double.doubleToRawLongBits(row.getDouble(i)), 8);
      }
      case BOOLEAN -> (row, i, out) -> out.writeBoolean(row.getBoolean(i));
      case BYTES -> bytes(schema, type, name);
      case MAP -> map(name, type);
      default -> throw mismatch(name, "a type this format writes", schema.toString());
    };
  }

  private static Writer longInteger(Schema schema, LogicalType type, String name) {
    if (schema.getLogicalType() instanceof LogicalTypes.TimestampMillis) {
      require(type, LogicalTypeRoot.TIMESTAMP_WITHOUT_TIME_ZONE, name);
      return (row, i, out) -> out.writeLong(row.getTimestamp(i, 3).getMillisecond());
    }
    require(type, LogicalTypeRoot.BIGINT, name);
    return (row, i, out) -> out.writeLong(row.getLong(i));
  }

  private static Writer bytes(Schema schema, LogicalType type, String name) {
    if (!(schema.getLogicalType() instanceof LogicalTypes.Decimal written)) {
      require(type, LogicalTypeRoot.VARBINARY, name);
      return (row, i, out) -> out.writeBytes(row.getBinary(i));
    }
    require(type, LogicalTypeRoot.DECIMAL, name);
    DecimalType decimal = (DecimalType) type;
    int precision = decimal.getPrecision();
    int scale = decimal.getScale();
    if (scale != written.getScale() || precision > written.getPrecision()) {
      throw mismatch(name, written.toString(), type.toString());
    }
    return (row, i, out) -> {
      DecimalData value = row.getDecimal(i, precision, scale);
      if (value.isCompact()) {
        out.writeUnscaled(value.toUnscaledLong());
      } else {
        out.writeBytes(value.toUnscaledBytes());
      }
    };
  }

  private static Writer map(String name, LogicalType type) {
    require(type, LogicalTypeRoot.MAP, name);
    return (row, i, out) -> {
      MapData map = row.getMap(i);
      ArrayData keys = map.keyArray();
      ArrayData values = map.valueArray();
      if (map.size() > 0) {
        out.writeLong(map.size());
      }
      for (int entry = 0; entry < map.size(); entry++) {
        out.writeBytes(keys.getString(entry).toBytes());
        out.writeBytes(values.getString(entry).toBytes());
      }
      out.writeLong(0);
    };
  }

  private static void require(LogicalType type, LogicalTypeRoot root, String name) {
    if (type.getTypeRoot() != root) {
      throw mismatch(name, "a column of type " + root, type.toString());
    }
  }

  private static IllegalArgumentException mismatch(String name, String expected, String found) {
    return new IllegalArgumentException(
        "ASKNOWN-AVRO-004 " + name + ": expected " + expected + ", found " + found
            + ". Next: compare schemas/ with the registry (asknown schema migrate registers the contracts)");
  }
}
