//! Partial batch answers for SQS: which messages come back.

use std::collections::BTreeSet;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsMessage};

/// The attribute that carries a FIFO message's group.
const GROUP: &str = "MessageGroupId";

/// The group of a FIFO message; the empty string for a standard queue's.
pub fn group(message: &SqsMessage) -> &str {
    message.attributes.get(GROUP).map_or("", String::as_str)
}

/// The answer for a standard queue: exactly the failed messages come back.
pub fn standard_answer<'a>(failed: impl IntoIterator<Item = &'a SqsMessage>) -> SqsBatchResponse {
    answer(failed.into_iter().filter_map(|message| message.message_id.as_deref()))
}

/// The answer for a FIFO queue: a failed message and everything after it in its group come back, so that order holds.
///
/// `messages` and `done` are in the order of delivery; `done[i]` says whether message `i` is finished with.
pub fn fifo_answer(messages: &[SqsMessage], done: &[bool]) -> SqsBatchResponse {
    let mut stopped = BTreeSet::new();
    let mut back = Vec::new();
    for (message, done) in messages.iter().zip(done) {
        let group = group(message);
        if !done {
            stopped.insert(group);
        }
        if stopped.contains(group) {
            back.extend(message.message_id.as_deref());
        }
    }
    answer(back)
}

fn answer<'a>(ids: impl IntoIterator<Item = &'a str>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for id in ids {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id.to_owned();
        response.batch_item_failures.push(failure);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, group: &str) -> SqsMessage {
        let mut message = SqsMessage::default();
        message.message_id = Some(id.to_owned());
        message.attributes.insert(GROUP.to_owned(), group.to_owned());
        message
    }

    fn ids(response: &SqsBatchResponse) -> Vec<&str> {
        response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect()
    }

    #[test]
    fn a_fifo_group_stops_at_its_first_failure_and_others_go_on() {
        let messages = [message("1", "a"), message("2", "b"), message("3", "a"), message("4", "b"), message("5", "a")];
        assert_eq!(ids(&fifo_answer(&messages, &[true, true, false, true, true])), ["3", "5"]);
        assert!(ids(&fifo_answer(&messages, &[true; 5])).is_empty());
        assert_eq!(ids(&fifo_answer(&messages, &[false, false, true, true, true])), ["1", "2", "3", "4", "5"]);
    }

    #[test]
    fn a_standard_queue_gets_back_only_what_failed() {
        let messages = [message("1", ""), message("2", "")];
        assert_eq!(ids(&standard_answer(&messages[1..])), ["2"]);
    }
}
