"""Read a scan of the lake in bounded memory."""

from __future__ import annotations

import pyarrow as pa
from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow
from pyiceberg.table import DataScan


def reader(scan: DataScan) -> pa.RecordBatchReader:
    """Return the rows of a scan, one file after the other.

    PyIceberg's own reader begins all files at once and holds what it has read of each: a day of 50
    million trades took 13 GB.
    """
    wanted = scan.projection()
    schema = schema_to_pyarrow(wanted)
    files = ArrowScan(
        scan.table_metadata, scan.io, wanted, scan.row_filter, scan.case_sensitive, scan.limit
    )
    batches = (batch for task in scan.plan_files() for batch in files.to_record_batches([task]))
    return pa.RecordBatchReader.from_batches(schema, batches).cast(schema)
