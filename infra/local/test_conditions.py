"""Tests of conditions.py's upper half: `python3 -m unittest test_conditions`, from this folder."""

import unittest
from datetime import datetime, timezone

import conditions

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def row(partition):
    return {"pk": {"S": partition}, "sk": {"S": "any"}}


class LeadingKeys(unittest.TestCase):
    def check(self, action, body, expected):
        self.assertEqual(conditions.leading_keys("dynamodb:" + action, body), expected)

    def test_of_calls_for_one_item(self):
        self.check("GetItem", {"TableName": "t", "Key": row("A#1")}, {("dynamodb:GetItem", "t"): ["A#1"]})
        by_arn = {"TableName": "arn:aws:dynamodb:us-east-1:000000000000:table/t", "Item": row("A#1")}
        self.check("PutItem", by_arn, {("dynamodb:PutItem", "t"): ["A#1"]})

    def test_of_a_query_whose_condition_names_the_key_by_placeholder(self):
        body = {
            "TableName": "t",
            "KeyConditionExpression": "#p = :p AND begins_with(sk, :s)",
            "ExpressionAttributeNames": {"#p": "pk"},
            "ExpressionAttributeValues": {":p": {"S": "A#1"}, ":s": {"S": "B"}},
        }
        self.check("Query", body, {("dynamodb:Query", "t"): ["A#1"]})

    def test_of_a_query_that_cannot_be_read_match_nothing(self):
        body = {"TableName": "t", "KeyConditionExpression": "pk > :p", "ExpressionAttributeValues": {":p": {"S": "A"}}}
        self.check("Query", body, {("dynamodb:Query", "t"): [""]})

    def test_of_a_scan_are_absent(self):
        self.check("Scan", {"TableName": "t"}, {})

    def test_of_batches_stay_with_their_table(self):
        body = {"RequestItems": {"t": {"Keys": [row("A#1"), row("A#2")]}, "u": {"Keys": [row("B")]}}}
        expected = {("dynamodb:BatchGetItem", "t"): ["A#1", "A#2"], ("dynamodb:BatchGetItem", "u"): ["B"]}
        self.check("BatchGetItem", body, expected)
        body = {"RequestItems": {"t": [{"PutRequest": {"Item": row("A")}}, {"DeleteRequest": {"Key": row("B")}}]}}
        self.check("BatchWriteItem", body, {("dynamodb:BatchWriteItem", "t"): ["A", "B"]})

    def test_of_a_transaction_stay_with_their_action(self):
        update = {"TableName": "t", "Key": row("A")}
        put = {"TableName": "t", "Item": row("B")}
        body = {"TransactItems": [{"Update": update}, {"Put": put}, {"ConditionCheck": update}]}
        expected = {
            ("dynamodb:UpdateItem", "t"): ["A"],
            ("dynamodb:PutItem", "t"): ["B"],
            ("dynamodb:ConditionCheckItem", "t"): ["A"],
        }
        self.check("TransactWriteItems", body, expected)


class OtherKeys(unittest.TestCase):
    def test_an_encryption_context_is_one_key_a_pair_and_the_list_of_its_names(self):
        expected = {"kms:EncryptionContext:purpose": "event", "kms:EncryptionContextKeys": ["purpose"]}
        self.assertEqual(conditions.encryption_context({"EncryptionContext": {"purpose": "event"}}), expected)
        self.assertEqual(conditions.encryption_context({"KeyId": "k"}), {})

    def test_a_put_says_its_lock_its_precondition_and_its_class(self):
        headers = {
            "if-none-match": "*",
            "x-amz-object-lock-mode": "GOVERNANCE",
            "x-amz-object-lock-retain-until-date": "2026-03-02T13:00:00Z",
            "x-amz-storage-class": "GLACIER_IR",
        }
        expected = {
            "s3:if-none-match": "*",
            "s3:object-lock-mode": "GOVERNANCE",
            "s3:object-lock-retain-until-date": "2026-03-02T13:00:00Z",
            "s3:object-lock-remaining-retention-days": "1",
            "s3:x-amz-storage-class": "GLACIER_IR",
        }
        self.assertEqual(conditions.put_conditions(headers, NOW), expected)
        self.assertEqual(conditions.put_conditions({}, NOW), {})

    def test_a_day_less_an_hour_is_no_day(self):
        days = conditions.remaining_days("2026-03-02T11:00:00.5Z", NOW)
        self.assertEqual(days, {"s3:object-lock-remaining-retention-days": "0"})

    def test_a_retention_is_read_from_its_body(self):
        body = b"""<Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Mode>COMPLIANCE</Mode>
            <RetainUntilDate>2026-03-11T12:00:00Z</RetainUntilDate></Retention>"""
        expected = {
            "s3:object-lock-mode": "COMPLIANCE",
            "s3:object-lock-retain-until-date": "2026-03-11T12:00:00Z",
            "s3:object-lock-remaining-retention-days": "10",
        }
        self.assertEqual(conditions.retention_conditions(body, NOW), expected)

    def test_what_a_put_carries_asks_for_more_than_the_put(self):
        asked = conditions.put_permissions({"x-amz-tagging": "a=b", "x-amz-object-lock-mode": "COMPLIANCE"})
        self.assertEqual(sorted(asked), ["s3:PutObjectRetention", "s3:PutObjectTagging"])
        self.assertEqual(conditions.put_permissions({"content-type": "text/plain"}), [])

    def test_batches_of_sqs_alone_are_asked_for_one_by_one(self):
        self.assertEqual(conditions.one_by_one("sqs:SendMessageBatch"), "sqs:SendMessage")
        self.assertEqual(conditions.one_by_one("firehose:PutRecordBatch"), "firehose:PutRecordBatch")
        self.assertIsNone(conditions.one_by_one(None))

    def test_a_call_about_an_execution_of_athena_names_it(self):
        self.assertEqual(conditions.execution_of(b'{"QueryExecutionId": "e-1"}'), "e-1")
        for body in (b"", None, b"{}", b"<xml/>"):
            self.assertIsNone(conditions.execution_of(body))
        self.assertEqual(
            conditions.workgroup_arn("us-east-1", "000000000000", "w"), "arn:aws:athena:us-east-1:000000000000:workgroup/w"
        )

    def test_a_session_is_its_roles(self):
        role = conditions.role_of("arn:aws:sts::000000000000:assumed-role/transform/any")
        self.assertEqual(role, "arn:aws:iam::000000000000:role/transform")
        self.assertIsNone(conditions.role_of("arn:aws:iam::000000000000:root"))


if __name__ == "__main__":
    unittest.main()
