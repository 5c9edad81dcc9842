"""Where Squid keeps responses, and how large they may be."""

import pytest

from tests.importers.squid.directive_lines import Translated, told
from txproxy.cache.disk.disk_store import DiskStore

OWN = "Squid's own files are not read: ours are in /var/spool/squid/txproxy"


def found(lines):
    """What is said of the cache, and the notes without their places."""
    translated = Translated(lines)
    return translated.config.cache, [note.split(": ", 2)[2] for note in translated.notes]


@pytest.mark.parametrize(
    "rest",
    [
        "ufs /var/spool/squid 100 16 256",
        "aufs /var/spool/squid/ 100 16 256",
        "diskd /var/spool/squid 100 16 256 Q1=64",
        "rock /var/spool/squid 100",
        "rock /var/spool/squid 100 slot-size=32768 swap-timeout=300 max-swap-rate=200/sec",
    ],
)
def test_a_directory_is_one_of_ours_below_it(rest):
    cache, notes = found(f"cache_dir {rest}")
    assert (cache.dir, cache.dir_size, cache.size) == ("/var/spool/squid/txproxy", 100 << 20, 256 << 20)
    assert notes == [OWN] and not Translated(f"cache_dir {rest}").config.warnings


def test_a_directory_stands_without_cache_mem():
    cache, notes = found("cache_mem 0\ncache_dir ufs /var/spool/squid 100 16 256")
    assert cache.dir == "/var/spool/squid/txproxy" and cache.size is None and cache.memory == 16 << 20
    assert notes == [OWN, "a cache on a disk has one of 16M in memory above it"]


def test_several_directories_are_one_as_large_as_all():
    rest = ("rock /c1 1000 max-size=32768", "aufs /c2 4000 16 256 min-size=32769", "ufs /c3 24 1 1")
    lines = "\n".join(f"cache_dir {one}" for one in rest)
    cache, notes = found(lines)
    assert (cache.dir, cache.dir_size) == ("/c1/txproxy", 5024 << 20)
    assert notes == [
        "Squid's own files are not read: ours are in /c1/txproxy",
        "what is small is kept as well, without min-size",
        "its size is added to that of line 3: one directory has it all",
        "its size is added to that of line 3: one directory has it all",
    ]


def test_directories_of_processes_are_one():
    cache, notes = found("cache_dir aufs /c/${process_number} 1000 16 256")
    assert cache.dir == "/c/txproxy"
    assert notes[0] == "processes share one directory, whose size is for all of them"


def test_what_is_denied_needs_no_directory():
    cache, notes = found("cache_dir ufs /c 100 16 256\ncache deny all")
    assert not cache and notes == []


def test_null_is_no_directory():
    cache, notes = found("cache_dir null /tmp")
    assert cache.dir is None and cache.size == 256 << 20 and notes == []


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        ("rock /c", "nothing is no size in MB"),
        ("rock /c many", "many is no size in MB"),
        ("ufs /c 0 16 256", "0 is no size in MB"),
        ("coss /c/file 100", "a type, a directory and a size are wanted; types are ufs, aufs, diskd, rock"),
        ("/c 100 16 256", "a type, a directory and a size are wanted; types are ufs, aufs, diskd, rock"),
        ("ufs c 100 16 256", "c is no directory"),
        ("ufs /c${unknown} 100 16 256", "/c${unknown} is no directory"),
        ("ufs /c 100 16 256 read-only", "nothing new is stored there, and what Squid has in it is nothing here"),
        ("rock /c 100 no-store", "nothing new is stored there, and what Squid has in it is nothing here"),
    ],
)
def test_what_is_no_directory_is_told(rest, why):
    assert told(f"cache_dir {rest}") == why
    assert Translated(f"cache_dir {rest}").config.cache.dir is None


def test_options_that_are_not_known_are_told():
    assert "taken over without fast, max-size=big" in found("cache_dir ufs /c 100 16 256 fast max-size=big")[1]


# -- how large


@pytest.mark.parametrize(
    ("lines", "largest"),
    [
        ("maximum_object_size 2 MB", 2 << 20),
        ("maximum_object_size 2 MB\nmaximum_object_size_in_memory 512 KB", 512 << 10),
        ("cache_mem 64 MB\nmaximum_object_size_in_memory 8 MB", 8 << 20),
        ("maximum_object_size 2 MB\nmaximum_object_size_in_memory 8 KB\ncache_dir ufs /c 100 16 256", 2 << 20),
        ("cache_dir ufs /c 1000 16 256 max-size=1048576", 1 << 20),
        ("cache_dir ufs /c 1000 16 256 max-size=-1\nmaximum_object_size 3 MB", 3 << 20),
        # What is too large for all directories, memory takes up to 512 KB if it is not told otherwise.
        ("cache_dir rock /c 1000 max-size=1000", 512 << 10),
        ("cache_dir rock /c 1000 max-size=1000\nmaximum_object_size_in_memory 2 KB", 2 << 10),
        ("cache_dir rock /c 1000 max-size=1000\ncache_dir ufs /d 1000 16 256\nmaximum_object_size 4 MB", 4 << 20),
    ],
)
def test_objects_are_as_large_as_any_place_takes_them(lines, largest):
    assert dict(Translated(lines).config.cache.defaults)["max_object_size"] == largest


def test_what_is_larger_than_ours_takes_is_told(tmp_path):
    cache, notes = found("maximum_object_size 4 GB\ncache_dir ufs /c 1024 16 256")
    store = DiskStore(str(tmp_path), cache.dir_size)
    most = store.max_object
    store.close()
    assert f"what is larger than {most >> 20}M is not kept" in notes
    assert "max_object_size" not in dict(cache.defaults)


# -- what people have

COMMON = """
cache_mem 256 MB
maximum_object_size_in_memory 512 KB
memory_replacement_policy heap GDSF
cache_replacement_policy heap LFUDA
minimum_object_size 0 KB
maximum_object_size 200 MB
cache_dir aufs /var/spool/squid 10000 16 256
cache_swap_low 90
cache_swap_high 95
quick_abort_min 0 KB
quick_abort_max 0 KB
quick_abort_pct 95
range_offset_limit none
negative_ttl 3 minutes
positive_dns_ttl 6 hours
negative_dns_ttl 1 minutes
half_closed_clients off
refresh_pattern -i \\.(gif|png|jpg|jpeg|ico)$ 10080 90% 43200 override-expire
refresh_pattern -i windowsupdate.com/.*\\.(cab|exe|ms[i|u|f]|[ap]sf) 4320 80% 43200 reload-into-ims
refresh_pattern . 0 20% 4320
"""


def test_a_common_file_takes_effect_and_says_what_does_not():
    translated = Translated(COMMON)
    cache = translated.config.cache
    assert (cache.size, cache.dir_size) == (256 << 20, 10000 << 20)
    assert dict(dict(cache.defaults)["ttl"])["404"] == 180
    assert [rule.name.partition(":")[2] for rule in cache.rules] == [
        " refresh_pattern \\.(gif|png|jpg|jpeg|ico)$",
        " refresh_pattern windowsupdate.com/.*\\.(cab|exe|ms[i|u|f]|[ap]sf)",
        " refresh_pattern .",
    ]
    assert not translated.config.warnings
    taken = {"cache_mem", "maximum_object_size_in_memory", "maximum_object_size", "refresh_pattern"}
    names = {line.split()[0] for line in COMMON.split("\n") if line}
    # Each of the others says what is done instead.
    assert {note.split(": ")[1] for note in translated.notes} == names - taken
