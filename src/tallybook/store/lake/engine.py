"""DuckDB, by its core module where that can be imported alone.

The package `duckdb` also brings its older interfaces, which nobody here uses and whose import takes most of the time of
a short command (50 of 60 ms). The core has everything used here; where a release moves it, the package serves.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
else:
    try:
        import _duckdb as duckdb
    except ImportError:
        import duckdb

__all__ = ["duckdb"]
