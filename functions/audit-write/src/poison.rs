//! What is kept of a message that no retry can help: its id, its pointer and a closed reason. Never any content: a body
//! that is no pointer is not kept, since it may hold anything; its chunk, if there is one, still lies in the plan.

use bytes::Bytes;
use ledgerline_lake::plan::Pointer;
use serde_json::json;

/// The function's folder under `poison/`.
pub(crate) const FUNCTION: &str = "audit-write";
/// The body is no pointer.
pub(crate) const NOT_A_POINTER: &str = "not_a_pointer";
/// The pointer's log is not the message's group, so that its order would not be kept.
pub(crate) const POINTER_OF_ANOTHER_GROUP: &str = "pointer_of_another_group";
/// A pointer at an act that the act's plan does not have: anyone who may send pointers could choose what of a plan is committed, and where.
pub(crate) const POINTER_NOT_OF_ITS_PLAN: &str = "pointer_not_of_its_plan";
/// The plan is not there.
pub(crate) const PLAN_MISSING: &str = "plan_missing";
/// The plan ends before the chunk does.
pub(crate) const CHUNK_OUT_OF_RANGE: &str = "chunk_out_of_range";

/// The note. It depends on the message alone, so that keeping it again changes nothing.
pub(crate) fn note(message_id: &str, reason: &str, pointer: Option<&Pointer>) -> Bytes {
    let note = json!({
        "v": 1,
        "messageId": message_id,
        "reason": reason,
        "pointer": pointer.and_then(|pointer| serde_json::to_value(pointer).ok()),
    });
    Bytes::from(note.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_without_a_pointer_holds_only_id_and_reason() {
        assert_eq!(
            note("m-1", NOT_A_POINTER, None),
            r#"{"messageId":"m-1","pointer":null,"reason":"not_a_pointer","v":1}"#
        );
    }
}
