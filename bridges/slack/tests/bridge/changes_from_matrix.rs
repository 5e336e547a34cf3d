//! What is done in the room to a message: edits, redactions, reactions, replies and threads.
