package asknown.flink;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.avro.shaded.org.apache.avro.Schema;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.util.Collector;

/** Turns one Kafka value into one row, whatever its bytes are. */
final class LenientAvroDecoder implements DeserializationSchema<RowData> {

  private static final long serialVersionUID = 1L;
  private static final int HEADER = 5;

  // The broker bounds a record's compressed size only. Longer ones are named by their coordinates.
  private static final int LONGEST_KEPT = 8 * 1024 * 1024;

  private final String url;
  private final String subject;
  private final RowType type;
  private final TypeInformation<RowData> info;
  private final int errorColumn;
  private final int bytesColumn;

  private transient SchemaRegistry registry;
  private transient String recordName;
  private transient Map<Integer, RowReader.Reader> readers;
  private transient AvroInput input;

  LenientAvroDecoder(String url, String subject, RowType type, TypeInformation<RowData> info) {
    this.url = url;
    this.subject = subject;
    this.type = type;
    this.info = info;
    this.errorColumn = type.getFieldIndex(LenientAvroFormatFactory.DECODE_ERROR);
    this.bytesColumn = type.getFieldIndex(LenientAvroFormatFactory.MESSAGE_BYTES);
  }

  @Override
  public void open(InitializationContext context) throws IOException {
    registry = new SchemaRegistry(url);
    recordName = registry.latest(subject).schema().getFullName();
    readers = new HashMap<>();
    input = new AvroInput();
  }

  // The connector leaves a null value out unless the collecting form is used.
  @Override
  public void deserialize(byte[] message, Collector<RowData> out) throws IOException {
    out.collect(deserialize(message));
  }

  @Override
  public RowData deserialize(byte[] message) throws IOException {
    if (message == null) {
      return poison(null, "DECODE_NULL_VALUE");
    }
    if (message.length > 0 && message[0] != 0) {
      return poison(message, "DECODE_BAD_MAGIC");
    }
    if (message.length < HEADER) {
      return poison(message, "DECODE_TRUNCATED");
    }
    try {
      RowReader.Reader reader = reader(ByteBuffer.wrap(message, 1, 4).getInt());
      if (reader == null) {
        return poison(message, "DECODE_UNKNOWN_SCHEMA");
      }
      input.reset(message, HEADER);
      GenericRowData row = (GenericRowData) reader.read(input);
      if (!input.atEnd()) {
        return poison(message, "DECODE_TRUNCATED");
      }
      if (input.isOutOfRange()) {
        return poison(message, "FIELD_OUT_OF_RANGE");
      }
      // By reference: the bytes cost nothing unless a rejected row carries them on.
      keep(row, message);
      return row;
    } catch (MalformedAvroException | StackOverflowError e) {
      // A schema that holds itself, or data nested without end: no contract of ours has either.
      return poison(message, "DECODE_TRUNCATED");
    }
  }

  private RowReader.Reader reader(int id) throws IOException {
    RowReader.Reader reader = readers.get(id);
    if (reader != null) {
      return reader;
    }
    Schema writer = registry.byId(id);
    if (writer == null) {
      return null;
    }
    if (!recordName.equals(writer.getFullName())) {
      throw new MalformedAvroException("a record of another topic");
    }
    reader = RowReader.rows(writer, own(type));
    readers.put(id, reader);
    return reader;
  }

  // A writer's field that happens to be called decode_error must not fill our column.
  private RowType own(RowType all) {
    List<RowType.RowField> fields = new ArrayList<>();
    for (int i = 0; i < all.getFieldCount(); i++) {
      RowType.RowField field = all.getFields().get(i);
      boolean ours = i == errorColumn || i == bytesColumn;
      fields.add(ours ? new RowType.RowField("\0" + field.getName(), field.getType()) : field);
    }
    return new RowType(fields);
  }

  private RowData poison(byte[] message, String reason) {
    GenericRowData row = new GenericRowData(type.getFieldCount());
    if (errorColumn >= 0) {
      row.setField(errorColumn, StringData.fromString(reason));
    }
    keep(row, message);
    return row;
  }

  private void keep(GenericRowData row, byte[] message) {
    if (bytesColumn >= 0 && (message == null || message.length <= LONGEST_KEPT)) {
      row.setField(bytesColumn, message);
    }
  }

  @Override
  public boolean isEndOfStream(RowData next) {
    return false;
  }

  @Override
  public TypeInformation<RowData> getProducedType() {
    return info;
  }
}
