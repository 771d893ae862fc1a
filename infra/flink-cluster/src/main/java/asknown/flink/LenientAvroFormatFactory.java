package asknown.flink;

import java.util.Set;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.connector.format.EncodingFormat;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.DynamicTableFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.factories.SerializationFormatFactory;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;

/**
 * Format {@code asknown-avro}: Avro by the schemas of a Confluent registry, decoded so that no
 * bytes whatsoever can fail a job.
 *
 * <p>A record that cannot be decoded becomes a row of NULLs; if the table declares the columns
 * {@code decode_error STRING} and {@code message_bytes BYTES}, they say why and hold the bytes.
 * Flink's own {@code avro-confluent} restarts the job on such a record, for ever.
 */
public final class LenientAvroFormatFactory
    implements DeserializationFormatFactory, SerializationFormatFactory {

  static final String DECODE_ERROR = "decode_error";
  static final String MESSAGE_BYTES = "message_bytes";

  private static final ConfigOption<String> URL =
      ConfigOptions.key("url")
          .stringType()
          .noDefaultValue()
          .withDescription("Address of the schema registry.");
  private static final ConfigOption<String> SUBJECT =
      ConfigOptions.key("subject")
          .stringType()
          .noDefaultValue()
          .withDescription(
              "Subject of the contract: its latest schema is written, and only records whose"
                  + " schema has the same full name are read.");

  @Override
  public String factoryIdentifier() {
    return "asknown-avro";
  }

  @Override
  public Set<ConfigOption<?>> requiredOptions() {
    return Set.of(URL, SUBJECT);
  }

  @Override
  public Set<ConfigOption<?>> optionalOptions() {
    return Set.of();
  }

  @Override
  public DecodingFormat<DeserializationSchema<RowData>> createDecodingFormat(
      DynamicTableFactory.Context context, ReadableConfig options) {
    FactoryUtil.validateFactoryOptions(this, options);
    String url = options.get(URL);
    String subject = options.get(SUBJECT);
    return new DecodingFormat<>() {
      @Override
      public DeserializationSchema<RowData> createRuntimeDecoder(
          DynamicTableSource.Context runtime, DataType type) {
        TypeInformation<RowData> info = runtime.createTypeInformation(type);
        return new LenientAvroDecoder(url, subject, (RowType) type.getLogicalType(), info);
      }

      @Override
      public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
      }
    };
  }

  @Override
  public EncodingFormat<SerializationSchema<RowData>> createEncodingFormat(
      DynamicTableFactory.Context context, ReadableConfig options) {
    FactoryUtil.validateFactoryOptions(this, options);
    String url = options.get(URL);
    String subject = options.get(SUBJECT);
    return new EncodingFormat<>() {
      @Override
      public SerializationSchema<RowData> createRuntimeEncoder(
          DynamicTableSink.Context runtime, DataType type) {
        return new AvroEncoder(url, subject, (RowType) type.getLogicalType());
      }

      @Override
      public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
      }
    };
  }
}
