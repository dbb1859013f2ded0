"""`shopkeeper keys`: who may call the server."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from scripts.options import ConfigOption, OutOption, SetOption, load_settings

keys_app = typer.Typer(
    no_args_is_help=True,
    help="""Who may call the server: API keys, and the secret by which a back end vouches for its users.

A server that runs knows a change within a second.
""",
)


class KeyKind(StrEnum):
    """What a key may do."""

    private = "private"
    public = "public"


@keys_app.command("create")
def keys_create(
    kind: Annotated[
        KeyKind,
        typer.Option(
            "--kind",
            help="private: everything, for the shop's back end. public: events and lists, for its pages.",
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="What it is for, to know it again in the list.")] = "",
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
) -> None:
    """Make a key and print it, this once: only its SHA-256 is kept, in `keys.json` of the workspace.

    From the first key on, the server answers nobody without one, and may listen on a public address:

        shopkeeper keys create --kind private --name "back end" -c my_shop.yaml
    """
    settings = load_settings(config, set_, out)
    from datetime import UTC, datetime

    from configs.console import log
    from serving.access.api_keys import KEYS_FILE, create_key

    key, made = create_key(
        settings.workspace, kind.value, name=name, now=datetime.now(UTC).replace(microsecond=0)
    )
    typer.echo(key)
    log(
        f"The {made.kind} key {made.id}: {settings.workspace / KEYS_FILE} has its checksum alone, "
        "so it cannot be shown again. Send it in the header X-API-Key."
    )


@keys_app.command("list")
def keys_list(config: ConfigOption = None, set_: SetOption = None, out: OutOption = None) -> None:
    """Print the id, kind, time and name of each key.

    shopkeeper keys list -c my_shop.yaml
    """
    settings = load_settings(config, set_, out)
    from configs.console import log
    from serving.access.api_keys import KEYS_FILE, read_keys

    for key in read_keys(settings.workspace / KEYS_FILE) or ():
        made = key.created_at.strftime("%Y-%m-%d %H:%M")
        typer.echo(f"{key.id}  {key.kind:<7}  {made}  {key.name}".rstrip())
    if not read_keys(settings.workspace / KEYS_FILE):
        log(f"{settings.workspace} has no keys. Make one with: shopkeeper keys create --kind private")


@keys_app.command("revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(help="The id, as `shopkeeper keys list` prints it.")],
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
) -> None:
    """Make a key worthless.

    To replace one, create the new one first, and revoke the old one when nobody uses it any more:

        shopkeeper keys revoke 5f0c1a9e -c my_shop.yaml
    """
    settings = load_settings(config, set_, out)
    from configs.console import log
    from serving.access.api_keys import KEYS_FILE, read_keys, revoke_key

    revoked = revoke_key(settings.workspace, key_id)
    log(f"Revoked the {revoked.kind} key {revoked.id}{f' ({revoked.name})' if revoked.name else ''}.")
    if not read_keys(settings.workspace / KEYS_FILE):
        log(
            "It was the last one: the server answers nobody now. To go on without keys, for this machine "
            f"alone, delete {settings.workspace / KEYS_FILE} and start the server again."
        )


@keys_app.command("secret")
def keys_secret(config: ConfigOption = None, set_: SetOption = None, out: OutOption = None) -> None:
    """Make the secret of user tokens, or another in its place, and print it for the shop's back end.

    Tokens made with the old one do not count any more. SHOPKEEPER_TOKEN_SECRET and
    `serving.token_secret_file` go before it.

        shopkeeper keys secret -c my_shop.yaml
    """
    settings = load_settings(config, set_, out)
    from configs.console import log
    from serving.access.token_secret import SECRET_FILE, SecretPlace, create_secret

    typer.echo(create_secret(settings.workspace))
    log(f"The secret is in {settings.workspace / SECRET_FILE}, for its owner alone.")
    if in_front := SecretPlace.of(settings.workspace, settings.serving).in_front:
        log(f"note: it is not used: {in_front} goes before it.")


@keys_app.command("token")
def keys_token(
    user: Annotated[str, typer.Option("--user", help="The user's id.")],
    minutes: Annotated[float, typer.Option("--minutes", min=0, help="How long it counts.")] = 15,
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
) -> None:
    """Print a user token for trying out.

    A shop's back end makes its own, with any library for JSON Web Tokens.

    shopkeeper keys token --user 1234 -c my_shop.yaml
    """
    settings = load_settings(config, set_, out)
    import time

    from configs.exceptions import ConfigError
    from serving.access.token_secret import SecretPlace
    from serving.access.user_tokens import user_token

    secret = SecretPlace.of(settings.workspace, settings.serving).read()
    if secret is None:
        raise ConfigError(
            f"{settings.workspace} has no secret for user tokens: make one with shopkeeper keys secret."
        )
    typer.echo(user_token(user, secret=secret, expires_at=int(time.time() + 60 * minutes)))
