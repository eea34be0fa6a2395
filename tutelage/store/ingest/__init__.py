"""Strict reading of files of rows: every row becomes an Example or is told what is wrong with it.

Nothing is lost or guessed in between: what a row holds beyond its conversation is
kept as tags, and what cannot be kept is a fault of that row.
"""

from __future__ import annotations

from tutelage.store.ingest.fault import Fault as Fault
from tutelage.store.ingest.files import Part as Part
from tutelage.store.ingest.files import digest_of as digest_of
from tutelage.store.ingest.files import digests_of as digests_of
from tutelage.store.ingest.files import file_of as file_of
from tutelage.store.ingest.files import parts_of as parts_of
from tutelage.store.ingest.files import same_file as same_file
from tutelage.store.ingest.files import uri_of as uri_of
from tutelage.store.ingest.provenance import OF_EVENT as OF_EVENT
from tutelage.store.ingest.read import Ingested as Ingested
from tutelage.store.ingest.read import Rows as Rows
from tutelage.store.ingest.read import example_of as example_of
from tutelage.store.ingest.read import read_examples as read_examples
from tutelage.store.ingest.read import rows_error as rows_error
from tutelage.store.ingest.records import Refused as Refused
