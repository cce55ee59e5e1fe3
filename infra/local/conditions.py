"""Fills the condition keys and permission checks that MiniStack leaves out of `AUTH=true`.

MiniStack 1.5.33 evaluates the template's roles, bucket, queue and key policies for every call that a function's own session signs.
It leaves some condition keys empty, and it does not know some permissions that AWS asks for besides the call's own. A condition over
an empty key lets through or refuses what AWS would not, and a permission that nobody asks for can be forgotten here and missed in AWS.

The upper half of this module turns requests into condition keys and further permissions, without MiniStack: test_conditions.py
tests it. `install` below patches MiniStack with it. The credentials "test" are the account's root, which MiniStack refuses nothing.
"""

import hashlib
import json
import re
import xml.etree.ElementTree as xml
from datetime import datetime, timezone

# The partition key of every table of the template.
PARTITION_KEY = "pk"
# Where `install` hands leading keys from the hook that sees a request's body to the one that sees a table; no condition can name it.
LEADING_KEYS = "local:leading-keys"
TRANSACTION_ACTIONS = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "Get": "dynamodb:GetItem",
}
# Header of a PUT -> the key under which S3's conditions know it.
PUT_HEADERS = {
    "if-match": "s3:if-match",
    "if-none-match": "s3:if-none-match",
    "x-amz-object-lock-legal-hold": "s3:object-lock-legal-hold",
    "x-amz-object-lock-mode": "s3:object-lock-mode",
    "x-amz-object-lock-retain-until-date": "s3:object-lock-retain-until-date",
    "x-amz-server-side-encryption-aws-kms-key-id": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-storage-class": "s3:x-amz-storage-class",
}
# Header of a PUT -> the permission that S3 asks for besides s3:PutObject.
PUT_PERMISSIONS = {
    "if-match": "s3:GetObject",
    "x-amz-object-lock-legal-hold": "s3:PutObjectLegalHold",
    "x-amz-object-lock-mode": "s3:PutObjectRetention",
    "x-amz-tagging": "s3:PutObjectTagging",
}
# Header of an answer -> the permission without which S3 leaves it out.
SHOWN_FOR = {
    "x-amz-object-lock-legal-hold": "s3:GetObjectLegalHold",
    "x-amz-object-lock-mode": "s3:GetObjectRetention",
    "x-amz-object-lock-retain-until-date": "s3:GetObjectRetention",
}
# What Lambda does with a function's role where a queue is the function's source.
# What the actions on items end with; a Scan has no leading keys.
OF_ITEMS = ("Item", ":Query")
QUEUE_SOURCE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def leading_keys(action, body):
    """The partition keys that a DynamoDB request names: (action, table) -> keys."""
    found = {}

    def add(as_action, table, item):
        value = (item or {}).get(PARTITION_KEY) or {}
        # A request without the key is refused by DynamoDB; here no pattern matches it.
        # A table goes by its name or its ARN.
        found.setdefault((as_action, table.rpartition("/")[2]), []).append(str(next(iter(value.values()), "")))

    table = body.get("TableName", "")
    if "Key" in body or "Item" in body:
        add(action, table, body.get("Key") or body.get("Item"))
    if action == "dynamodb:Query":
        add(action, table, {PARTITION_KEY: queried_key(body)})
    for named in body.get("TransactItems") or []:
        for member, one in named.items():
            add(TRANSACTION_ACTIONS[member], one.get("TableName", ""), one.get("Key") or one.get("Item"))
    for table, requests in (body.get("RequestItems") or {}).items():
        for key in requests.get("Keys", []) if isinstance(requests, dict) else []:
            add(action, table, key)
        for request in requests if isinstance(requests, list) else []:
            write = request.get("PutRequest") or request.get("DeleteRequest") or {}
            add(action, table, write.get("Item") or write.get("Key"))
    return found


def queried_key(body):
    """The value that a query's key condition compares the partition key with."""
    names = body.get("ExpressionAttributeNames") or {}
    for name, value in re.findall(r"([#\w]+)\s*=\s*(:\w+)", body.get("KeyConditionExpression") or ""):
        if names.get(name, name) == PARTITION_KEY:
            return (body.get("ExpressionAttributeValues") or {}).get(value)
    return None


def encryption_context(body):
    """KMS's condition keys of a request's encryption context."""
    context = body.get("EncryptionContext") or {}
    keys = {"kms:EncryptionContext:" + name: value for name, value in context.items()}
    if context:
        keys["kms:EncryptionContextKeys"] = list(context)
    return keys


def put_conditions(headers, now):
    """S3's condition keys of a PUT's headers."""
    keys = {condition: headers[header] for header, condition in PUT_HEADERS.items() if headers.get(header)}
    return keys | remaining_days(headers.get("x-amz-object-lock-retain-until-date"), now)


def retention_conditions(body, now):
    """S3's condition keys of a PutObjectRetention's body."""
    said = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in xml.fromstring(body).iter()}
    keys = {"s3:object-lock-mode": said.get("Mode"), "s3:object-lock-retain-until-date": said.get("RetainUntilDate")}
    return {key: value for key, value in keys.items() if value} | remaining_days(said.get("RetainUntilDate"), now)


def remaining_days(until, now):
    """Whole days that are left until a time in UTC. AWS does not say how it rounds; this is the strictest way."""
    if not until:
        return {}
    left = datetime.strptime(until[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc) - now
    return {"s3:object-lock-remaining-retention-days": str(left.days)}


def put_permissions(headers):
    """The permissions that S3 asks for because of a PUT's headers."""
    return [action for header, action in PUT_PERMISSIONS.items() if headers.get(header)]


def workgroup_arn(region, account, workgroup):
    """The ARN that a permission for a workgroup names."""
    return f"arn:aws:athena:{region}:{account}:workgroup/{workgroup}"


def execution_of(body):
    """The execution of Athena that a request names, or None."""
    try:
        return json.loads(body or b"{}").get("QueryExecutionId")
    except ValueError:
        return None


def one_by_one(action):
    """A batch call of SQS is allowed by the permission for the single call; AWS knows no other."""
    return re.sub(r"^(sqs:\w+)Batch$", r"\1", action) if action else action


def role_of(session_arn):
    """The ARN of the role behind a session, or None."""
    session = re.fullmatch(r"arn:aws:sts::(\d+):assumed-role/([^/]+)/.*", session_arn or "")
    return "arn:aws:iam::{}:role/{}".format(*session.groups()) if session else None


def role_session(role_arn, name):
    """Credentials of a role for one of the emulator's own deliveries, as boto3 takes them."""
    from ministack.services import sts

    account, role = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    digest = hashlib.sha256(f"{role_arn} {name}".encode()).hexdigest()
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
        "UserId": f"{role}:{name}",
        "SecretAccessKey": digest,
        "SessionToken": digest,
    }
    access_key = "ASIA" + digest[:16].upper()
    sts.register_session(access_key, session)
    return {"aws_access_key_id": access_key, "aws_secret_access_key": digest, "aws_session_token": digest}


def role_may(role_arn, action, resource):
    """Whether a role's own policies allow a call that carries no condition keys."""
    from ministack.core import iam_evaluator

    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    context = iam_evaluator.EvalContext(role_arn, "AssumedRole", account, action, resource, "")
    policies = iam_evaluator._gather_role_policies(name, account)
    return iam_evaluator.evaluate(context, policies).decision == "Allow"


def install():
    """Hangs all of it into MiniStack, before its server starts."""
    from ministack.core import iam_actions, iam_evaluator
    from ministack.services import athena, lambda_svc, s3

    request_tags = iam_actions.request_tag_context
    s3_context = iam_actions.s3_service_context
    s3_checks = iam_actions.s3_additional_checks
    action_of = iam_actions.extract_iam_action
    resource_of = iam_actions.extract_resource_arn
    condition_key = iam_evaluator._resolve_condition_key
    enforce = iam_evaluator.enforce
    queue_concurrency = lambda_svc._sqs_esm_concurrency

    # AWS fills kms:EncryptionContext:*, dynamodb:LeadingKeys and, for PutObjectRetention, s3:object-lock-*. MiniStack fills none of them.
    # This hook is there for tags, and the only one that sees every request's body.
    def keys_of_body(service, action, body, params):
        context = request_tags(service, action, body, params)
        if service == "kms":
            context |= encryption_context(json.loads(body or b"{}"))
        elif service == "dynamodb":
            context[LEADING_KEYS] = leading_keys(action, json.loads(body or b"{}"))
        elif action == "s3:PutObjectRetention":
            context |= retention_conditions(body, datetime.now(timezone.utc))
        return context

    # AWS fills the keys of a PUT's lock, preconditions and storage class. MiniStack fills encryption and ACL only.
    def keys_of_put(action, query, path="", headers=None):
        context = s3_context(action, query, path, headers)
        if action == "s3:PutObject":
            context |= put_conditions(headers or {}, datetime.now(timezone.utc))
        return context

    # AWS asks for the permissions of tags, locks and If-Match besides s3:PutObject, and for the key's where the bucket encrypts by KMS.
    # MiniStack asks for none of these.
    def further_checks(method, path, headers, body, params):
        checks = s3_checks(method, path, headers, body, params)
        action = action_of("s3", method, path, headers, body, params)
        bucket, _, key = path.lstrip("/").partition("/")
        if action == "s3:PutObject":
            checks += [(permission, f"arn:aws:s3:::{bucket}/{key}") for permission in put_permissions(headers)]
        encryption = s3._bucket_default_sse_headers(bucket)
        kms_key = encryption.get("x-amz-server-side-encryption-aws-kms-key-id")
        kms_action = {"s3:PutObject": "kms:GenerateDataKey", "s3:GetObject": "kms:Decrypt", "s3:GetObjectVersion": "kms:Decrypt"}
        if kms_key and action in kms_action and method != "HEAD":
            checks.append((kms_action[action], kms_key_arn(kms_key)))
        return checks

    def kms_key_arn(key):
        from ministack.core.responses import get_account_id, get_region

        return key if key.startswith("arn:") else f"arn:aws:kms:{get_region()}:{get_account_id()}:key/{key}"

    # AWS compares dynamodb:LeadingKeys with the keys of the table and the action in question. MiniStack has one set of condition keys for
    # a whole request. And the key of a bucket is KMS's to guard, which S3 asks in the caller's name.
    def enforce_each(access_key, action, service, region, resource_arn="*", service_context=None):
        context = dict(service_context or {})
        named = context.pop(LEADING_KEYS, {}).get((action, resource_arn.rpartition("/")[2]))
        if named is not None:
            context["dynamodb:LeadingKeys"] = named
        elif service == "dynamodb" and action.endswith(OF_ITEMS):
            # AWS always has the key for these; were it left out here, ForAllValues would hold.
            context["dynamodb:LeadingKeys"] = [""]
        if service == "s3" and action.startswith("kms:"):
            service, context["kms:ViaService"] = "kms", f"s3.{region}.amazonaws.com"
        refused = enforce(access_key, action, service, region, resource_arn=resource_arn, service_context=context)
        if isinstance(refused, iam_evaluator.EvalResult):
            iam_evaluator.logger.error("AccessDenied: %s may not %s on %s", refused.principal_arn, action, resource_arn)
        return refused

    # AWS puts the role into aws:PrincipalArn, MiniStack its session. AWS is reached by TLS, this emulator on the loopback interface.
    def resolve(key, context):
        if key.lower() == "aws:securetransport":
            return "true"
        value = condition_key(key, context)
        return role_of(value) or value if key.lower() == "aws:principalarn" else value

    # AWS answers 404 for a missing object only to a caller who may list the bucket, and 403 to others; and it shows a lock to a caller
    # who may read locks. MiniStack answers 404 to all, and shows all.
    def as_the_role_may_see(read):
        def answer(bucket, key, *more, **named):
            status, headers, body = read(bucket, key, *more, **named)
            role = role_of(iam_evaluator.caller_arn())
            if role and status == 404 and not role_may(role, "s3:ListBucket", f"arn:aws:s3:::{bucket}"):
                return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}/{key}")
            for header, permission in SHOWN_FOR.items() if role else []:
                if not role_may(role, permission, f"arn:aws:s3:::{bucket}/{key}"):
                    headers = {name: value for name, value in headers.items() if name.lower() != header}
            return status, headers, body

        return answer

    # AWS refuses a queue as the source of a function whose role may not read the queue. MiniStack reads it as itself; here it stays unread.
    def readable_only(mapping, function, *more):
        role, queue = function["config"]["Role"], mapping["EventSourceArn"]
        if all(role_may(role, action, queue) for action in QUEUE_SOURCE_ACTIONS):
            return queue_concurrency(mapping, function, *more)
        lambda_svc.logger.error("AccessDenied: %s may not read %s", role, queue)
        return 0

    # AWS asks whether the caller may use the execution's workgroup. MiniStack knows no resource of a call that names an execution alone.
    def resource_with_workgroup(service, method, path, headers, body, params, region, account):
        execution = athena._executions.get(execution_of(body)) if service == "athena" else None
        if execution:
            return workgroup_arn(region, account, execution["WorkGroup"])
        return resource_of(service, method, path, headers, body, params, region, account)

    iam_actions.extract_resource_arn = resource_with_workgroup
    iam_actions.request_tag_context = keys_of_body
    iam_actions.s3_service_context = keys_of_put
    iam_actions.s3_additional_checks = further_checks
    # AWS knows no permission for SQS's batch calls. MiniStack asks for sqs:SendMessageBatch and the like.
    iam_actions.extract_iam_action = lambda *request: one_by_one(action_of(*request))
    iam_evaluator.enforce = enforce_each
    iam_evaluator._resolve_condition_key = resolve
    s3._get_object = as_the_role_may_see(s3._get_object)
    s3._head_object = as_the_role_may_see(s3._head_object)
    lambda_svc._sqs_esm_concurrency = readable_only
