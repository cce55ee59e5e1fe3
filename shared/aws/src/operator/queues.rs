//! Queues as an operator sees them: what lies in them, and where what failed goes.

use aws_sdk_sqs::types::QueueAttributeName;
use ledgerline_ledger::store::StoreError;

use super::Operator;
use crate::config::store_error;

/// What lies in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting or delayed.
    pub waiting: u64,
    /// Being worked on.
    pub in_work: u64,
}

/// A queue's way to its dead-letter queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueSettings {
    /// The dead-letter queue's ARN, if there is one.
    pub dead_letter_arn: Option<String>,
    /// How long messages are kept.
    pub retention_s: u64,
}

impl Operator {
    /// What lies in a queue.
    ///
    /// # Errors
    /// The queue's.
    pub async fn depth(&self, logical: &str) -> Result<Depth, StoreError> {
        let attributes = self.queue_attributes(logical).await?;
        let count = |name| attributes.get(&name).and_then(|value: &String| value.parse().ok()).unwrap_or(0);
        Ok(Depth {
            waiting: count(QueueAttributeName::ApproximateNumberOfMessages)
                + count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
            in_work: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        })
    }

    /// Where a queue's dead letters go.
    ///
    /// # Errors
    /// The queue's.
    pub async fn queue_settings(&self, logical: &str) -> Result<QueueSettings, StoreError> {
        let attributes = self.queue_attributes(logical).await?;
        let redrive = attributes.get(&QueueAttributeName::RedrivePolicy);
        let redrive = redrive.and_then(|json| serde_json::from_str::<serde_json::Value>(json).ok());
        let arn = redrive.as_ref().and_then(|policy| policy.get("deadLetterTargetArn")?.as_str().map(str::to_owned));
        let retention = attributes.get(&QueueAttributeName::MessageRetentionPeriod);
        Ok(QueueSettings {
            dead_letter_arn: arn,
            retention_s: retention.and_then(|value| value.parse().ok()).unwrap_or_default(),
        })
    }

    async fn queue_attributes(
        &self,
        logical: &str,
    ) -> Result<std::collections::HashMap<QueueAttributeName, String>, StoreError> {
        let url = self.queue(logical)?;
        let asked = self.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let answer = asked.send().await.map_err(|error| store_error(format!("look at queue {logical}"), error))?;
        Ok(answer.attributes.unwrap_or_default())
    }
}
