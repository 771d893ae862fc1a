-- The rows that the engine handed on in blocks, one by one, in the types of the contract.
SELECT $columns
FROM $blocks AS block CROSS JOIN UNNEST(block.`rows`) AS r ($names)
