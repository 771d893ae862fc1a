package asknown.flink;

import java.nio.charset.StandardCharsets;
import org.apache.flink.connector.kafka.sink.KafkaPartitioner;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.utils.Utils;
import org.apache.flink.table.data.RowData;

/**
 * Places a change point by its raw key alone: the record's key is {@code raw_key|effective_time},
 * which compaction needs, but all change points of a raw key must keep their order. A key without
 * a bar (a heartbeat's) counts whole. The hash is that of Kafka's own partitioner.
 */
public final class RawKeyPartitioner implements KafkaPartitioner<RowData> {

  private static final long serialVersionUID = 1L;

  @Override
  public int partition(
      RowData row, byte[] key, byte[] value, String topic, int[] partitions) {
    String text = new String(key, StandardCharsets.UTF_8);
    int bar = text.lastIndexOf('|');
    byte[] hashed = bar < 0 ? key : text.substring(0, bar).getBytes(StandardCharsets.UTF_8);
    return partitions[Utils.toPositive(Utils.murmur2(hashed)) % partitions.length];
  }
}
