# stack.json of a deployment, from `aws cloudformation list-stack-resources`; $region is where it lies.
def of($type): [.StackResourceSummaries[] | select(.ResourceType == $type) | {(.LogicalResourceId): .PhysicalResourceId}] | add // {};
{region: $region, buckets: of("AWS::S3::Bucket"), tables: of("AWS::DynamoDB::Table"),
 queues: of("AWS::SQS::Queue"), streams: of("AWS::KinesisFirehose::DeliveryStream"), functions: of("AWS::Lambda::Function"), keys: of("AWS::KMS::Key")}
