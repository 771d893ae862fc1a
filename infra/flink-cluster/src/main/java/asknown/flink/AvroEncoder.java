package asknown.flink;

import java.io.IOException;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;

/** Turns one row into one Kafka value in the latest schema of its subject. */
final class AvroEncoder implements SerializationSchema<RowData> {

  private static final long serialVersionUID = 1L;

  private final String url;
  private final String subject;
  private final RowType type;

  private transient int schemaId;
  private transient RowWriter.Writer writer;
  private transient AvroOutput output;

  AvroEncoder(String url, String subject, RowType type) {
    this.url = url;
    this.subject = subject;
    this.type = type;
  }

  @Override
  public void open(InitializationContext context) throws IOException {
    SchemaRegistry.Latest latest = new SchemaRegistry(url).latest(subject);
    schemaId = latest.id();
    RowWriter.requireEveryColumn(latest.schema(), type, subject + ": ");
    writer = RowWriter.record(latest.schema(), type, subject + ": ");
    output = new AvroOutput();
  }

  @Override
  public byte[] serialize(RowData row) {
    output.reset();
    output.writeHeader(schemaId);
    writer.write(row, 0, output);
    return output.copy();
  }
}
