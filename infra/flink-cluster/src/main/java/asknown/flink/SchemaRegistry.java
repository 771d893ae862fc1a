package asknown.flink;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.avro.shaded.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.avro.shaded.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.avro.shaded.org.apache.avro.Schema;

/**
 * Reads schemas from a registry with Confluent's endpoints.
 *
 * <p>"There is no such schema" and "the registry does not answer" are different facts: the first
 * makes a record poison, the second must stop the job until the registry is back, or good records
 * would be quarantined.
 */
final class SchemaRegistry {

  private static final Duration TIMEOUT = Duration.ofSeconds(5);
  private static final int ATTEMPTS = 5;
  // An id that is unknown now may be registered a moment later; poison must not ask every time.
  private static final long UNKNOWN_FOR_NANOS = Duration.ofSeconds(30).toNanos();

  /** A subject's latest schema and its id. */
  record Latest(int id, Schema schema) {}

  private final String url;
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(TIMEOUT).build();
  private final ObjectMapper json = new ObjectMapper();
  private final Map<Integer, Schema> known = new HashMap<>();
  private final Map<Integer, Long> unknownUntil = new HashMap<>();

  SchemaRegistry(String url) {
    this.url = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
  }

  /** Returns the schema with this id, or null when the registry says there is none. */
  Schema byId(int id) throws IOException {
    Schema schema = known.get(id);
    if (schema != null) {
      return schema;
    }
    Long until = unknownUntil.get(id);
    if (until != null && System.nanoTime() - until < 0) {
      return null;
    }
    JsonNode answer = get("/schemas/ids/" + id);
    if (answer == null) {
      if (unknownUntil.size() > 10_000) {
        unknownUntil.clear();
      }
      unknownUntil.put(id, System.nanoTime() + UNKNOWN_FOR_NANOS);
      return null;
    }
    schema = new Schema.Parser().parse(answer.get("schema").asText());
    known.put(id, schema);
    return schema;
  }

  /** Returns the latest schema of a subject. */
  Latest latest(String subject) throws IOException {
    JsonNode answer = get("/subjects/" + subject + "/versions/latest");
    if (answer == null) {
      throw new IOException(
          "ASKNOWN-AVRO-001 " + url + ": expected subject " + subject + ", found none."
              + " Next: asknown up (it registers every contract)");
    }
    Schema schema = new Schema.Parser().parse(answer.get("schema").asText());
    return new Latest(answer.get("id").asInt(), schema);
  }

  private JsonNode get(String path) throws IOException {
    IOException last = null;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        HttpRequest request =
            HttpRequest.newBuilder(URI.create(url + path)).timeout(TIMEOUT).build();
        HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() == 200) {
          return json.readTree(answer.body());
        }
        if (answer.statusCode() == 404) {
          return null;
        }
        last = new IOException("status " + answer.statusCode());
      } catch (IOException e) {
        last = e;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while asking the schema registry", e);
      }
      pause(attempt);
    }
    throw new IOException("ASKNOWN-AVRO-002 schema registry " + url + " does not answer", last);
  }

  private static void pause(int attempt) throws IOException {
    try {
      Thread.sleep(200L << attempt);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while waiting for the schema registry", e);
    }
  }
}
