"""moto's server for S3 with users and rights; says where it is, and ends with its standard input.

Run with moto on PYTHONPATH. INITIAL_NO_AUTH_ACTION_COUNT calls are taken before rights count:
those that make the users and the bucket here.
"""

import json
import os
import sys

CALLS = 7
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = str(CALLS)
os.environ |= {"AWS_ACCESS_KEY_ID": "first", "AWS_SECRET_ACCESS_KEY": "first"}

import boto3  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

RIGHTS = {
    "all": ["s3:*"],
    "reader": ["s3:GetObject", "s3:ListBucket"],
}


def main() -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    words = {"endpoint_url": url, "region_name": "us-east-1"}
    boto3.client("s3", **words).create_bucket(Bucket="plant")
    iam = boto3.client("iam", **words)
    keys = {}
    for name, actions in RIGHTS.items():
        iam.create_user(UserName=name)
        rule = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [rule]})
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys[name] = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
    print(json.dumps({"url": url, "keys": keys}), flush=True)
    sys.stdin.read()
    server.stop()


main()
