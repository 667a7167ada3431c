"""What one request, and all of them together, may cost the service."""

from __future__ import annotations

from dataclasses import dataclass

from mammoscan.serving.reading import Limits


@dataclass(frozen=True)
class ServiceLimits:
    """The service's limits; the command's options of the same names set them.

    Attributes:
        images: Most images of one request.
        megabytes: Most megabytes of one request, all its images together.
        megapixels: Most megapixels of one image, read in its header before anything is unpacked.
        seconds: Longest time from a request's start to its answer; also what running requests get at the end.
        waiting: Most images that are read, wait or are classified at one time; more get 503.
        batch: Most images of one call of the model.
    """

    images: int = 32
    megabytes: float = 64.0
    megapixels: float = 50.0
    seconds: float = 60.0
    waiting: int = 128
    batch: int = 16

    @property
    def bytes(self) -> int:
        """Most bytes of one request."""
        return round(self.megabytes * 1e6)

    @property
    def picture(self) -> Limits:
        """The limits of one image."""
        return Limits(bytes=self.bytes, pixels=round(self.megapixels * 1e6))
