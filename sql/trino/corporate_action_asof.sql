-- Corporate actions; a version ends the belief in the one before. Amounts are per share.
SELECT
    entity_id,
    action_id,
    version,
    kind,
    status,
    symbol,
    isin,
    venue,
    ex_date,
    effective_time,
    announce_date,
    record_date,
    pay_date,
    ratio_numerator,
    ratio_denominator,
    cash_amount,
    currency,
    subscription_price,
    distributed_value,
    method,
    reference_price,
    purpose,
    known_from,
    LEAD(known_from, 1, TIMESTAMP '9999-12-31 00:00:00.000000')
        OVER (
            PARTITION BY entity_id, action_id
            ORDER BY version, kafka_offset
        ) AS known_to
FROM lake.silver.corporate_action
