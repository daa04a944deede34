"""What every object has: metadata, references, and the model that all wire models are.

Used by the other models of this package, and `Json` by everybody.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.types.scalars import Flag, LongTexts, Name, Text, Time, Whole

Json = dict[str, Any]
"""A JSON object as parsed; what is in it is for a model to say."""


_UNKNOWN: set[str] = set()


class Wire(BaseModel):
    """An object, or a part of one, as the API server sends it.

    Unknown fields are left out: a newer schema may have some.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    def model_post_init(self, _: Any) -> None:
        """Forget which fields were given: nobody asks, and the sets are half of a Canary's 13 KB."""
        object.__setattr__(self, "__pydantic_fields_set__", _UNKNOWN)

    def dump(self) -> Json:
        """The JSON that parses to an equal model; fields without a value are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class OwnerReference(Wire):
    """Whose object this is."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: Flag | None = None
    block_owner_deletion: Flag | None = None


class ObjectMeta(Wire):
    """What is read of an object's metadata."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: Whole = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class ObjectRef(Wire):
    """An object in the same namespace."""

    api_version: Text
    """API version of the object."""
    kind: Name
    """Kind of the object."""
    name: Name
    """Name of the object."""


class NamespacedRef(Wire):
    """An object by name, here or in another namespace."""

    name: Name
    """Name of the object."""
    namespace: Name | None = None
    """Namespace of the object. Default: the Canary's own."""


class SecretRef(Wire):
    """A Secret in the same namespace."""

    name: Name
    """Name of the Secret."""


class CustomMetadata(Wire):
    """Labels and annotations for a generated object."""

    labels: LongTexts = Field(default_factory=dict)
    """Labels to add."""
    annotations: LongTexts = Field(default_factory=dict)
    """Annotations to add."""
