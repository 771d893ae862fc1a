"""Write one file of a table whose rows all belong to one partition."""

from __future__ import annotations

from typing import Any

from pyiceberg.io.fileformat import FileFormatFactory
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import Table
from pyiceberg.typedef import Record

Rows = Any  # a pa.Table


def write(table: Table, rows: Rows, name: str, partition: Record) -> DataFile:
    """Write rows, by the table's properties, into a file that no snapshot names yet.

    `name` is below the folder of the table's data. PyIceberg cuts rows into files by their size in
    memory, which is ten times what they are on disk; so a file here is what it is given.
    """
    path = table.location_provider().new_data_location(name)
    schema = table.schema()
    target = table.io.new_output(path)
    model = FileFormatFactory.get(FileFormat.PARQUET)
    with model.create_writer(target, schema, table.properties) as writer:
        writer.write(rows.cast(schema_to_pyarrow(schema, include_field_ids=True)))
    file = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=partition,
        file_size_in_bytes=len(target),
        sort_order_id=None,
        equality_ids=None,
        key_metadata=None,
        **writer.result().to_serialized_dict(),
    )
    file.spec_id = table.spec().spec_id
    return file
