"""All measurements, one after another: `python -m benchmarks`. benchmarks/README.md tells what each means."""

from __future__ import annotations

from benchmarks import lag, length, memory, throughput, uploads


def main() -> None:
    """Print a line of JSON for each."""
    throughput.main([64, 128, 256])
    length.main()
    lag.main()
    memory.main()
    uploads.main()


if __name__ == "__main__":
    main()
