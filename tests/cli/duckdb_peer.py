"""DuckDB asks Parquet files in S3; run with duckdb and its extension httpfs on PYTHONPATH.

Arguments: where the files are. The environment is that of a user of the store.
"""

import os
import sys
from pathlib import Path

import duckdb
import duckdb_extension_httpfs

[extension] = Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension")
database = duckdb.connect(config={"allow_unsigned_extensions": "true"})
database.execute(f"LOAD '{extension}'")
host = os.environ["AWS_ENDPOINT_URL"].partition("//")[2]
database.execute(
    f"CREATE SECRET (TYPE s3, KEY_ID '{os.environ['AWS_ACCESS_KEY_ID']}', "
    f"SECRET '{os.environ['AWS_SECRET_ACCESS_KEY']}', REGION 'us-east-1', "
    f"ENDPOINT '{host}', URL_STYLE 'path', USE_SSL false)"
)
asked = "SELECT date::VARCHAR, twin, property, count(*), avg(value) FROM read_parquet(?, \
hive_partitioning = true) WHERE quality < 128 GROUP BY ALL ORDER BY ALL"
print(database.execute(asked, sys.argv[1:]).fetchall())
