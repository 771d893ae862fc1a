package asknown.flink;

/** Bytes that are not what their schema says; made without a stack trace, as poison may be dense. */
final class MalformedAvroException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  MalformedAvroException(String message) {
    super(message, null, false, false);
  }
}
