-- One number over all records that are healed, whatever their order.
SELECT PRINTF('%016x', BIT_XOR(MD5_NUMBER_LOWER(topic || ':' || part || ':' || place))) AS heal_id
FROM fate
