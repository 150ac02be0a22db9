"""The parts of an image as a CycloneDX bill of materials, which scanners of vulnerabilities and licences read."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from mood.errors import UsageError
from mood.installation import advice
from mood.runtime import installed
from mood.submission.contents import PYTHON, Package

if TYPE_CHECKING:
    from cyclonedx.model.component import Component


def require() -> None:
    """`UsageError` when the library that writes bills is not installed."""
    if not installed("cyclonedx"):
        raise UsageError("what writes bills of materials is not installed", fix=advice("submit"))


def bill_of_materials(
    packages: Iterable[Package], name: str, version: str, digest: str, made: datetime, system: str = ""
) -> str:
    """A CycloneDX 1.6 document; of one image it is always the same.

    Parameters
    ----------
    packages : iterable of Package
    name, version, digest : str
        Of the image.
    made : datetime.datetime
        When the image was built.
    system : str
        Such as "debian-12".

    Returns
    -------
    str
        JSON.
    """
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    whole = Component(name=name, type=ComponentType.CONTAINER, version=version, bom_ref=digest)
    bill = Bom(
        components=[_component(package, system) for package in sorted(packages)],
        metadata=BomMetaData(component=whole, timestamp=made),
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, digest),
    )
    bill.register_dependency(whole, bill.components)
    return JsonV1Dot6(bill).output_as_string(indent=1)


def _component(package: Package, system: str) -> Component:
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    space = None if package.kind == PYTHON else system.partition("-")[0] or None
    more = {"distro": system} if space else None
    address = PackageURL(package.kind, space, package.name, package.version or None, more)
    return Component(
        name=package.name,
        type=ComponentType.LIBRARY,
        version=package.version or None,
        purl=address,
        bom_ref=str(address),
        licenses=[LicenseFactory().make_from_string(package.licence)] if package.licence else None,
    )
