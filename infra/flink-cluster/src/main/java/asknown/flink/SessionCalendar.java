package asknown.flink;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import org.apache.flink.table.data.StringData;

/**
 * The sessions of every venue, as jobs/normalize/sessions.py packs them into a literal of the query.
 *
 * <p>Packed text, one session a line: {@code venue epoch_day phase start end [phase start end]...},
 * sorted by start; start and end in milliseconds since midnight UTC of that day, half open.
 */
final class SessionCalendar {

  /** One phase of one session; half open, milliseconds since the epoch. */
  record Span(long start, long end, int tradeDate, StringData phase) {}

  private record Venue(long[] starts, Span[] spans) {}

  static final StringData CLOSED = StringData.fromString("closed");

  private StringData packed;
  private Map<StringData, Venue> venues = Map.of();
  private StringData lastVenue;
  private Span last;

  /** Takes the literal of the query: the same object on each call, so unpacked once. */
  SessionCalendar of(StringData literal) {
    if (literal != packed) {
      venues = unpack(literal.toString());
      packed = literal;
      last = null;
    }
    return this;
  }

  boolean knows(StringData venue) {
    return venues.containsKey(venue);
  }

  /** Returns the phase that holds this moment, or null when the venue is closed. */
  Span at(StringData venue, long millis) {
    if (last != null && millis >= last.start() && millis < last.end() && venue.equals(lastVenue)) {
      return last;
    }
    Venue found = venues.get(venue);
    if (found == null) {
      return null;
    }
    int index = Arrays.binarySearch(found.starts(), millis);
    int candidate = index >= 0 ? index : -index - 2;
    if (candidate < 0 || millis >= found.spans()[candidate].end()) {
      return null;
    }
    last = found.spans()[candidate];
    lastVenue = StringData.fromBytes(venue.toBytes());
    return last;
  }

  private static Map<StringData, Venue> unpack(String literal) {
    Map<StringData, List<Span>> spans = new HashMap<>();
    byte[] zipped = Base64.getDecoder().decode(literal);
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(
                new GZIPInputStream(new ByteArrayInputStream(zipped)), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] words = line.split(" ");
        int day = Integer.parseInt(words[1]);
        List<Span> own =
            spans.computeIfAbsent(StringData.fromString(words[0]), v -> new ArrayList<>());
        for (int i = 2; i < words.length; i += 3) {
          long midnight = day * 86_400_000L;
          own.add(
              new Span(
                  midnight + Long.parseLong(words[i + 1]),
                  midnight + Long.parseLong(words[i + 2]),
                  day,
                  StringData.fromString(words[i])));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("ASKNOWN-SESSION-001 the packed calendar is unreadable", e);
    }
    Map<StringData, Venue> venues = new HashMap<>();
    spans.forEach(
        (venue, own) ->
            venues.put(
                venue,
                new Venue(own.stream().mapToLong(Span::start).toArray(), own.toArray(new Span[0]))));
    return venues;
  }
}
