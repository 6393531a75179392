"""Prints the events that TensorBoard's own reader finds in a directory of event files, as JSON.

    python3 scripts/read_events.py runs/<preset>/<name>/tb

{"scalars": {tag: [[step, value], ...]}, "text": {tag: [text, ...]}, "hparams": {...}, "status": number or null}
Needs the package tensorboard.
"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2


def main(directory):
    accumulator = EventAccumulator(directory, size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    tags = accumulator.Tags()
    result = {
        "scalars": {tag: [[e.step, e.value] for e in accumulator.Scalars(tag)] for tag in tags["scalars"]},
        "text": {},
        "hparams": {},
        "status": None,
    }
    for tag in tags["tensors"]:
        if accumulator.SummaryMetadata(tag).plugin_data.plugin_name == "text":
            events = accumulator.Tensors(tag)
            result["text"][tag] = [e.tensor_proto.string_val[0].decode() for e in events]
    contents = {}
    try:
        contents = accumulator.PluginTagToContent("hparams")
    except KeyError:
        pass
    parse = plugin_data_pb2.HParamsPluginData.FromString
    if "_hparams_/session_start_info" in contents:
        start = parse(contents["_hparams_/session_start_info"]).session_start_info
        for name, value in start.hparams.items():
            result["hparams"][name] = getattr(value, value.WhichOneof("kind"))
    if "_hparams_/session_end_info" in contents:
        result["status"] = parse(contents["_hparams_/session_end_info"]).session_end_info.status
    json.dump(result, sys.stdout, sort_keys=True)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
