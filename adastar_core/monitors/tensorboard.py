"""TensorBoard: event files beside the run. Written with TensorBoard's own writer, which needs no torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from adastar_core.monitors import About, Ending, Point, Row

_TEXT = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))


class TensorBoard:
    """One file of events per process of the run, in one directory. TensorBoard keeps no files."""

    def __init__(self, about: About) -> None:
        resumed = any(Path(about.folder).glob("events.out.*"))
        self._writer = EventFileWriter(about.folder)
        if not resumed:
            self._text("config", 0, _block(about.config))
            self._writer.flush()

    def log(self, points: Sequence[Point]) -> None:
        for point in points:
            values = [Summary.Value(tag=name, simple_value=number) for name, number in point.numbers.items()]
            self._writer.add_event(Event(wall_time=point.at, step=point.step, summary=Summary(value=values)))
        self._writer.flush()

    def table(self, name: str, step: int, rows: Sequence[Row]) -> None:
        self._text(name, step, "\n\n---\n\n".join(map(_block, rows)))
        self._writer.flush()

    def close(self, ending: Ending) -> None:  # noqa: ARG002  (an event file has no end)
        self._writer.close()

    def _text(self, name: str, step: int, text: str) -> None:
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype=DT_STRING, tensor_shape=shape, string_val=[text.encode()])
        value = Summary.Value(tag=f"{name}/text_summary", metadata=_TEXT, tensor=tensor)
        self._writer.add_event(Event(step=step, summary=Summary(value=[value])))


def _block(row: Mapping[str, object]) -> str:
    """Return Markdown that shows a text as it is: a model's may hold links and images."""
    text = "\n".join(f"{name}: {value}" for name, value in row.items())
    return "\n".join(f"    {line}" for line in text.splitlines())
