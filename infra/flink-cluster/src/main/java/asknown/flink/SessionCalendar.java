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
 * <p>A line {@code S code phase start end ...} is a kind of day, in milliseconds since midnight UTC;
 * a line {@code V venue first_day codes} is a venue, one code a day from that epoch day on, '.' when
 * closed. Spans are half open.
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
    byte[] zipped = Base64.getDecoder().decode(literal);
    Map<Character, String[]> kinds = new HashMap<>();
    Map<StringData, Venue> venues = new HashMap<>();
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(
                new GZIPInputStream(new ByteArrayInputStream(zipped)), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] words = line.split(" ");
        if (words[0].equals("S")) {
          kinds.put(words[1].charAt(0), words);
        } else {
          StringData name = StringData.fromString(words[1]);
          venues.put(name, venue(Integer.parseInt(words[2]), words[3], kinds));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("ASKNOWN-SESSION-001 the packed calendar is unreadable", e);
    }
    return venues;
  }

  private static Venue venue(int firstDay, String codes, Map<Character, String[]> kinds) {
    List<Span> spans = new ArrayList<>();
    for (int i = 0; i < codes.length(); i++) {
      if (codes.charAt(i) == '.') {
        continue;
      }
      int day = firstDay + i;
      long midnight = day * 86_400_000L;
      String[] kind = kinds.get(codes.charAt(i));
      for (int word = 2; word < kind.length; word += 3) {
        long start = midnight + Long.parseLong(kind[word + 1]);
        long end = midnight + Long.parseLong(kind[word + 2]);
        spans.add(new Span(start, end, day, StringData.fromString(kind[word])));
      }
    }
    return new Venue(
        spans.stream().mapToLong(Span::start).toArray(), spans.toArray(new Span[0]));
  }
}
