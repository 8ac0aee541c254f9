"""Recorded data in files: CSV (also gzipped), tables parted by blanks, Parquet; row by row."""

from __future__ import annotations

import csv
import gzip
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from gemel.core.errors import InvalidInput, NotFound

Row = tuple[int, Sequence[Any]]
"""Line (or row) number in the file, and a cell for each column."""

GUESSED = (";", "\t", ",", "|")


class Recording:
    """One file: `columns`, and `rows()` as often as wanted."""

    def __init__(
        self, path: Path, separator: str = "", columns: Sequence[str] = (), encoding: str = "utf-8"
    ) -> None:
        """Opens the file far enough to know its columns.

        Args:
            path: .csv, .csv.gz, .txt, .dat, .parquet.
            separator: of the cells; "" is found out from the first line, " " is any blanks.
            columns: names, for a file that has no line with names.
            encoding: of text files.

        Raises:
            NotFound: there is no such file.
            InvalidInput: it cannot be read as what its name says.
        """
        self.path = path
        self.encoding = encoding
        self._has_header = not columns
        if not path.is_file():
            raise NotFound(f"there is no file {path}")
        self.is_parquet = path.suffix.lower() in (".parquet", ".pq")
        if self.is_parquet:
            self.separator = ""
            self.columns = list(self._parquet().schema_arrow.names)
            return
        first = self._first_line()
        self.separator = separator or self._guess(first)
        self.columns = list(columns) or [cell.strip() for cell in self._split(first)]
        if len(set(self.columns)) != len(self.columns):
            twice = next(c for c in self.columns if self.columns.count(c) > 1)
            raise InvalidInput(f"{path}: the column '{twice}' stands twice")

    def rows(self) -> Iterator[Row]:
        """All rows in the file's order.

        Raises:
            InvalidInput: a row has more or fewer cells than there are columns.
        """
        if self.is_parquet:
            yield from self._parquet_rows()
            return
        wanted = len(self.columns)
        try:
            with self._open() as file:
                for number, cells in self._lines(file):
                    if number == 1 and self._has_header:
                        continue
                    if not cells or (len(cells) == 1 and not cells[0].strip()):
                        continue
                    if len(cells) != wanted:
                        raise InvalidInput(
                            f"{self.path}, line {number}: {len(cells)} cells, not {wanted}",
                            hint=f"the separator in force is '{self.separator}'; see --separator",
                        )
                    yield number, cells
        except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
            raise InvalidInput(f"{self.path}: cannot be read: {error}") from error

    def _open(self) -> TextIO:
        if self.path.suffix.lower() == ".gz":
            return gzip.open(self.path, "rt", encoding=self.encoding, newline="")
        return self.path.open("r", encoding=self.encoding, newline="")

    def _first_line(self) -> str:
        try:
            with self._open() as file:
                line = file.readline(1_000_000)
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise InvalidInput(
                f"{self.path}: cannot be read: {error}", hint="see --encoding"
            ) from error
        if not line.strip():
            raise InvalidInput(f"{self.path}: is empty")
        return line.lstrip("\ufeff").rstrip("\r\n")

    def _guess(self, line: str) -> str:
        best = max(GUESSED, key=line.count)
        if line.count(best):
            return best
        return " " if len(line.split()) > 1 and not self._has_header else ","

    def _split(self, line: str) -> list[str]:
        if self.separator == " ":
            return line.split()
        return next(csv.reader([line], delimiter=self.separator), [])

    def _lines(self, file: TextIO) -> Iterator[tuple[int, list[str]]]:
        if self.separator == " ":
            for number, line in enumerate(file, 1):
                yield number, line.split()
            return
        reader = csv.reader(file, delimiter=self.separator)
        for cells in reader:
            yield reader.line_num, cells

    def _parquet(self) -> Any:
        try:
            parquet = importlib.import_module("pyarrow.parquet")
        except ModuleNotFoundError as error:
            raise InvalidInput(
                f"{self.path}: reading Parquet needs pyarrow", hint="pip install 'gemel[parquet]'"
            ) from error
        arrow = importlib.import_module("pyarrow")
        try:
            return parquet.ParquetFile(self.path)
        except (OSError, arrow.ArrowException) as error:
            raise InvalidInput(f"{self.path}: is not a Parquet file: {error}") from error

    def _parquet_rows(self) -> Iterator[Row]:
        number = 0
        for batch in self._parquet().iter_batches(batch_size=4096):
            columns = [column.to_pylist() for column in batch.columns]
            for cells in zip(*columns, strict=True):
                number += 1
                yield number, cells
