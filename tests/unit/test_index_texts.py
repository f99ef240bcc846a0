"""What entries of the index are written with."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from adapters.postgres.names import uuid_text


@given(digest=st.binary(min_size=16, max_size=32))
def test_sixteen_bytes_read_as_a_uuid(digest: bytes) -> None:
    """As the standard library writes them."""
    assert uuid_text(digest) == str(uuid.UUID(bytes=digest[:16]))
