"""Lets Synapse's own checks judge an exported room, event by event.

Usage: python accept_room.py FILE   (FILE: see ../../homeserver/core/tests/room/federating.rs)

For each event: its id, content hash and signature, the format of its room version, the
authorisation rules against the events that it names, and against the state before it. Prints how
many events were accepted; exits with 1 at the first that is not.
"""

import json
import sys

from signedjson.key import decode_verify_key_bytes
from signedjson.sign import verify_signed_json
from synapse import event_auth
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.crypto.event_signing import check_event_content_hash
from synapse.events import make_event_from_dict
from synapse.events.utils import prune_event
from unpaddedbase64 import decode_base64


def check(export):
    version = KNOWN_ROOM_VERSIONS[export["room_version"]]
    key = decode_verify_key_bytes(export["key_id"], decode_base64(export["public_key"]))
    events, state = {}, {}
    for exported in export["events"]:
        pdu = json.loads(exported["pdu"])
        event = make_event_from_dict(pdu, version)
        about = f"{event.type} {exported['event_id']} in version {version.identifier}"
        if event.event_id != exported["event_id"]:
            raise ValueError(f"{about}: its id should be {event.event_id}")
        if exported["redacted_by"] is None and not check_event_content_hash(event):
            raise ValueError(f"{about}: wrong content hash")
        verify_signed_json(prune_event(event).get_pdu_json(), export["server_name"], key)
        event_auth.validate_event_for_room_version(event)
        batched = {event_id: events[event_id] for event_id in event.auth_event_ids()}
        if version.msc4291_room_ids_as_hashes and event.type != "m.room.create":
            create = events[event.room_id.replace("!", "$", 1)]
            batched[create.event_id] = create
        run_independent(event, batched)
        named = list(batched.values())
        event_auth.check_state_dependent_auth_rules(event, named)
        wanted = event_auth.auth_types_for_event(version, event)
        before = [state[key] for key in wanted if key in state]
        if ("m.room.create", "") in state and state[("m.room.create", "")] not in before:
            before.append(state[("m.room.create", "")])
        event_auth.check_state_dependent_auth_rules(event, before)
        held = sorted(one.event_id for one in state.values())
        if held != exported["state_before"]:
            raise ValueError(f"{about}: the state before it differs")
        events[event.event_id] = event
        if event.is_state():
            state[(event.type, event.state_key)] = event
    return len(events)


def run_independent(event, batched):
    """The state-independent rules are a coroutine that reads from a store only what we lack."""
    coroutine = event_auth.check_state_independent_auth_rules(None, event, batched)
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise ValueError(f"{event.event_id}: names an event that is not in the room")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        try:
            print(f"accepted {check(json.load(file))} events")
        except Exception as error:
            print(f"refused: {type(error).__name__}: {error}")
            sys.exit(1)
