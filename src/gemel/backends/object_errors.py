"""What obstore and the stores behind it say is wrong, as errors of ours: one table.

The library tells errors by class, and stores say more in their answers (`<Code>NoSuchBucket`).
Nothing of an answer or an address is repeated but that code: they may hold signatures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gemel.core.errors import (
    ConfigInvalid,
    Conflict,
    Forbidden,
    GemelError,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotOffered,
    Unavailable,
)

CODE = re.compile(r"<Code>\s*(\w{1,80})\s*</Code>")
STATUS = re.compile(r"\bstatus: (\d{3})\b")


@dataclass(frozen=True, slots=True)
class Case:
    pattern: re.Pattern[str]
    """Looked for in the class of the error and what it says."""
    error: type[GemelError]
    what: str
    hint: str


def _case(pattern: str, error: type[GemelError], what: str, hint: str) -> Case:
    return Case(re.compile(pattern, re.IGNORECASE), error, what, hint)


CREDENTIALS = (
    "S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; Azure: "
    "AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, or AZURE_STORAGE_SAS_TOKEN"
)
CASES = (
    _case(
        r"NoSuchBucket|ContainerNotFound|ContainerBeingDeleted|AccountNotFound",
        NotFound,
        "there is no such bucket or container",
        "mend its name, or make it first; AWS_REGION, AWS_ENDPOINT_URL and AZURE_STORAGE_ACCOUNT "
        "say whose it is",
    ),
    _case(
        r"http://169\.254\.|/latest/(api/token|meta-data)|metadata/identity|InstanceCredential"
        r"|ImdsManaged|TokenRequest|TokenResponse",
        NotAuthenticated,
        "no credentials were found",
        CREDENTIALS,
    ),
    _case(
        r"InvalidAccessKeyId|SignatureDoesNotMatch|AuthenticationFailed|InvalidAuthentication"
        r"|ExpiredToken|InvalidToken|TokenRefreshRequired|RequestTimeTooSkewed|NoAuthentication"
        r"|UnauthenticatedError",
        NotAuthenticated,
        "the store does not take these credentials",
        f"{CREDENTIALS}; they may be over, or the machine's clock wrong",
    ),
    _case(
        r"PermissionDeniedError|AccessDenied|AuthorizationFailure|AuthorizationPermission"
        r"|InsufficientAccountPermissions|AllAccessDisabled|status: 403",
        Forbidden,
        "these credentials may not do this",
        "let them list, read and write below this place; deleting is needed for --keep",
    ),
    _case(
        r"without LOCATION|PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocation"
        r"|status: 30\d",
        InvalidInput,
        "the bucket is of another region",
        "set AWS_REGION to the bucket's",
    ),
    _case(
        r"AlreadyExistsError|PreconditionError|BlobAlreadyExists|ConditionNotMet",
        Conflict,
        "there is one of this name already",
        "name another",
    ),
    _case(
        r"FileNotFoundError|NotFoundError|NoSuchKey|BlobNotFound",
        NotFound,
        "there is no such object",
        "mend its name",
    ),
    _case(
        r"InvalidPathError|InvalidBucketName|InvalidResourceName|InvalidUri|relative URL",
        InvalidInput,
        "that name cannot be used",
        "letters, digits, dots and hyphens, parts with / between",
    ),
    _case(
        r"NotSupportedError|NotImplementedError|NotImplemented\b",
        NotOffered,
        "this store does not offer it",
        "take another one that speaks S3 or Azure Blob Storage",
    ),
    _case(
        r"UnknownConfigurationKeyError|Account must be specified|ValueError|invalid value"
        r"|UnableToParse|InvalidEndpoint|builder error|Invalid Access Key|PanicException",
        ConfigInvalid,
        "the AWS_... or AZURE_... variables say something that cannot be used",
        "compare them with the how-to on object storage",
    ),
    _case(
        r"dns error|failed to lookup|Name or service not known|name resolution",
        Unavailable,
        "its host is not known to the name service",
        "look at the network, at AWS_ENDPOINT_URL and AWS_REGION, or at the account's name",
    ),
    _case(
        r"InvalidContentType|CorruptMessage|WRONG_VERSION",
        Unavailable,
        "it speaks no TLS there",
        "an endpoint without TLS begins with http://",
    ),
    _case(
        r"certificate|UnknownIssuer|handshake",
        Unavailable,
        "its certificate is not trusted",
        "AWS_CA_BUNDLE or SSL_CERT_FILE names a file with the certificates to trust",
    ),
    _case(
        r"Connect\b|connection refused|tcp connect|unreachable|ConnectError",
        Unavailable,
        "nothing answers there",
        "look at the network and at AWS_ENDPOINT_URL, then try again",
    ),
    _case(
        r"timed ?out|timeout|reset by peer|connection closed|broken pipe|IncompleteMessage"
        r"|SlowDown|ServerBusy|InternalError|OperationTimedOut|status: 5\d\d|status: 429",
        Unavailable,
        "the store did not answer, or was too busy",
        "try again: what has arrived there is not sent again",
    ),
)


NAMES = re.compile(
    r'https?://(?!169\.254\.)\S*?(?=/latest/(api/token|meta-data)|/metadata/identity|[\s,"]|$)'
    r'|path: "[^"]*"|retry_timeout: \S+|<(Key|BucketName|Resource)>[^<]*</'
    r"|(?:for path|for key|at location) .*?(?=:| not found)"
)
"""What users have named and we have set, which must not be taken for what is wrong."""


def worded(error: BaseException, place: str, name: str = "") -> GemelError:
    """The error of ours for one of obstore, with the place and the store's own code."""
    said = f"{type(error).__name__} {NAMES.sub(' ', str(error))}"
    case = next((one for one in CASES if one.pattern.search(said)), None)
    where = f"{place}/{name}" if name else place
    if case is None:
        first = " ".join(said.partition("Debug source")[0].split())[:160]
        return Unavailable(f"{where}: {first}", hint="look at the log of the store")
    code = CODE.search(said) or STATUS.search(said)
    more = f" ({code[1]})" if code else ""
    return case.error(f"{where}: {case.what}{more}", hint=case.hint)


def usable(name: str) -> str:
    """The name of an object, if it leads nowhere else.

    Raises:
        InvalidInput: it does.
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in name:
        raise InvalidInput(f"'{name}' is no name for an object", hint="name it as a/b/c")
    return name
