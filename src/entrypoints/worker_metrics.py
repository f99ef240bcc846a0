"""The metrics of `serve --workers N`: whichever worker is scraped answers for all of them.

Workers share a port, so a scrape reaches any of them, and none can be scraped by itself. Each therefore gives its
text to the others over a Unix socket, and the one that is asked labels every sample with its worker's number.
Rejected: prometheus_client's multiprocess mode, whose counters write to files of every process at every firing, and
which drops what the engine's gauges are read from.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from entrypoints.metrics import Metrics

logger = logging.getLogger(__name__)

_PATIENCE_SECS = 1.0
_LABEL = "worker"


class WorkerMetrics:
    """One worker's place among `count`, who meet in `folder`."""

    def __init__(self, folder: Path, *, number: int, count: int) -> None:
        self._folder = folder
        self._number = number
        self._count = count

    @contextlib.asynccontextmanager
    async def shared(self, metrics: Metrics) -> AsyncIterator[None]:
        """Give `metrics` to whichever worker asks."""

        async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            del reader
            with contextlib.suppress(OSError):
                writer.write(metrics.render())
                await writer.drain()
            writer.close()

        path = self._path(self._number)
        path.unlink(missing_ok=True)  # of a worker that died in this place
        server = await asyncio.start_unix_server(tell, path)
        try:
            yield
        finally:
            server.close()

    async def render(self, metrics: Metrics) -> bytes:
        """Return the exposition text of all workers; one that does not answer within a second is left out."""
        numbers = [number for number in range(1, self._count + 1) if number != self._number]
        answers = await asyncio.gather(*(self._ask(number) for number in numbers))
        texts = {number: text for number, text in zip(numbers, answers, strict=True) if text is not None}
        return merged(texts | {self._number: metrics.render()})

    async def _ask(self, number: int) -> bytes | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECS):
                reader, writer = await asyncio.open_unix_connection(self._path(number))
                try:
                    return await reader.read()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            logger.warning("metrics of worker %d are missing: %s", number, error or type(error).__name__)
            return None

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.metrics"


class _Merged(Collector):
    def __init__(self, texts: Mapping[int, bytes]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for number, text in sorted(self._texts.items()):
            for found in text_string_to_metric_families(text.decode()):
                family = families.setdefault(found.name, Metric(found.name, found.documentation, found.type))
                for sample in found.samples:
                    family.add_sample(sample.name, {**sample.labels, _LABEL: str(number)}, sample.value)
        yield from families.values()


def merged(texts: Mapping[int, bytes]) -> bytes:
    """Return the texts of several workers, by their numbers, as one, each sample labelled with its worker."""
    registry = CollectorRegistry()
    registry.register(_Merged(texts))
    return generate_latest(registry)
