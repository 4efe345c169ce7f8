"""Opens the store that a URI names: S3 and what speaks its protocol, Google Cloud Storage, Azure, or this process.

A URI's options are obstore's configuration keys; ``endpoint_override`` and ``scheme`` name an endpoint.

    s3://[KEY:SECRET@]BUCKET/PATH?region=eu-west-1
    s3://BUCKET/PATH?endpoint_override=HOST:PORT&scheme=http
    gs://BUCKET/PATH
    abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH, az://CONTAINER/PATH?account_name=ACCOUNT
    memory://NAME/PATH    which lasts as long as the process
"""

import os
from datetime import timedelta
from functools import cache
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from obstore.store import MemoryStore, ObjectStore, from_url

KINDS: Final = "file://, s3://, gs://, abfs://, az://, memory://"

_TIMES: Final = {
    "connect_timeout": timedelta(seconds=10),
    "read_timeout": timedelta(seconds=60),
    "timeout": timedelta(hours=1),
}


@cache
def open_store(base: str) -> ObjectStore:
    """Open the store of a URI without its path; equal URIs share one, and its connections.

    Raises:
        ValueError: the URI is of no kind that is known here.
        BaseError, OSError: the store cannot be opened.
    """
    url = urlsplit(base)
    if url.scheme == "memory":
        return MemoryStore()
    if url.scheme not in _SETTINGS:
        raise ValueError(f"unknown kind of URI '{url.scheme}://'")
    if not url.netloc:
        raise ValueError("the URI names no bucket or container")
    options = dict(parse_qsl(url.query))
    endpoint = _endpoint(options)
    address, settings = _SETTINGS[url.scheme](url, options, endpoint)
    settings["client_options"] = {**_TIMES, "allow_http": bool(endpoint and endpoint.startswith("http://"))}
    settings["retry_config"] = {"max_retries": 0}  # `patiently` asks again, and says for how long
    store: ObjectStore = from_url(address, **settings)
    return store


def _s3(url: SplitResult, options: dict[str, str], endpoint: str | None) -> tuple[str, dict[str, Any]]:
    user, bucket = _user_and_host(url)
    config: dict[str, Any] = dict(options)
    settings: dict[str, Any] = {"config": config}
    if user is not None:
        key, _, secret = user.partition(":")
        config |= {"access_key_id": unquote(key), "secret_access_key": unquote(secret)}
    elif not {"skip_signature", "access_key_id"} & options.keys():
        settings["credential_provider"] = _aws_credentials
    if endpoint:
        config["endpoint"] = endpoint
    elif "region" not in options and not {"AWS_REGION", "AWS_DEFAULT_REGION"} & os.environ.keys():
        from pyarrow import fs

        config["region"] = fs.resolve_s3_region(bucket)
    return f"s3://{bucket}", settings


def _google(url: SplitResult, options: dict[str, str], endpoint: str | None) -> tuple[str, dict[str, Any]]:
    user, bucket = _user_and_host(url)
    config: dict[str, Any] = dict(options)
    if user == "anonymous":
        config["skip_signature"] = True
    if endpoint:
        config["base_url"] = endpoint
    return f"gs://{bucket}", {"config": config}


def _azure(url: SplitResult, options: dict[str, str], endpoint: str | None) -> tuple[str, dict[str, Any]]:
    user, host = _user_and_host(url)
    config: dict[str, Any] = dict(options)
    container, mark, key = (user or "").partition(":")
    if mark:
        config["account_key"] = unquote(key)
    if endpoint:
        config["endpoint"] = endpoint
    return (f"az://{host}" if user is None else f"abfss://{container}@{host}"), {"config": config}


_SETTINGS: Final = {"s3": _s3, "s3a": _s3, "gs": _google, "abfs": _azure, "abfss": _azure, "az": _azure}


def _user_and_host(url: SplitResult) -> tuple[str | None, str]:
    user, mark, host = url.netloc.rpartition("@")
    return (user if mark else None), host


def _endpoint(options: dict[str, str]) -> str | None:
    """Take the endpoint out of the options, as a URL."""
    scheme = options.pop("scheme", "https")
    endpoint = options.pop("endpoint_override", options.pop("endpoint", None))
    return endpoint if endpoint is None or "://" in endpoint else f"{scheme}://{endpoint}"


def _aws_credentials() -> Any:
    """Find credentials where every AWS tool looks: environment, profiles, single sign-on, roles of the machine."""
    import boto3
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = boto3.Session()
    if session.get_credentials() is None:
        raise ValueError("no AWS credentials in the environment, a profile or the machine's role")
    return Boto3CredentialProvider(session)()
