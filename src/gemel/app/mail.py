"""Sends one e-mail by SMTP: with TLS and a login, never with a password in the clear."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage

from gemel.app.addresses import address
from gemel.app.config import Config
from gemel.core.errors import ConfigInvalid, Refused, Unavailable

SECONDS = 20.0
SECURITY = ("starttls", "tls", "none")


def make_mail(config: Config, key: str, to: Sequence[str], subject: str, text: str) -> EmailMessage:
    """A message whose id is the notice's, so that repeats are the same message."""
    mail = EmailMessage()
    mail["From"] = config.smtp_from
    mail["To"] = ", ".join(to)
    mail["Subject"] = " ".join(subject.split())[:200]
    mail["Message-ID"] = f"<{key}@gemel>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    return mail


def send_mail(config: Config, mail: EmailMessage) -> None:
    """Hands a message to the server of the settings; blocks.

    Raises:
        ConfigInvalid: no server is set, or a password would go in the clear.
        Refused: the server will not take this message, now or later.
        Unavailable: it may take it later.
    """
    if not config.smtp or not config.smtp_from:
        raise ConfigInvalid("no mail server is set", hint="set smtp and smtp_from")
    if config.smtp_security not in SECURITY:
        raise ConfigInvalid(
            f"smtp_security = '{config.smtp_security}'", hint="one of: " + ", ".join(SECURITY)
        )
    host, port = address(config.smtp, "smtp")
    try:
        with _connected(config, host, port) as server:
            if config.smtp_user:
                if config.smtp_security == "none":
                    raise ConfigInvalid(
                        "the password would go in the clear", hint="set smtp_security = 'starttls'"
                    )
                server.login(config.smtp_user, config.smtp_password)
            server.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        kind = Refused if codes and min(codes) >= 500 else Unavailable
        raise kind(f"{config.smtp} refuses {', '.join(error.recipients)}") from None
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        is_final = error.smtp_code >= 500 and not isinstance(error, smtplib.SMTPAuthenticationError)
        kind = Refused if is_final else Unavailable
        raise kind(f"{config.smtp} says {error.smtp_code} {words}") from None
    except (OSError, smtplib.SMTPException) as error:
        raise Unavailable(f"{config.smtp} cannot be reached: {error}") from None


def _connected(config: Config, host: str, port: int) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=config.smtp_ca or None)
    if config.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
    server = smtplib.SMTP(host, port, timeout=SECONDS)
    if config.smtp_security == "starttls":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server
