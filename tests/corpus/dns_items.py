"""A record of a DNS lookup as the items of its messages: renamed and regrouped, nothing more."""
import re

OPCODES = {"QUERY": 0, "IQUERY": 1, "STATUS": 2, "NOTIFY": 4, "UPDATE": 5, "DSO": 6}
RCODES = {
    "NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5, "YXDOMAIN": 6,
    "YXRRSET": 7, "NXRRSET": 8, "NOTAUTH": 9, "NOTZONE": 10, "DSOTYPENI": 11, "BADVERS": 16, "BADKEY": 17,
    "BADTIME": 18, "BADMODE": 19, "BADNAME": 20, "BADALG": 21, "BADTRUNC": 22, "BADCOOKIE": 23,
}
# From 1 on; a blank is no type.
LOW_TYPES = (
    "A NS MD MF CNAME SOA MB MG MR NULL WKS PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT NSAP NSAP-PTR SIG KEY PX "
    "GPOS AAAA LOC NXT EID NIMLOC SRV ATMA NAPTR KX CERT A6 DNAME SINK OPT APL DS SSHFP IPSECKEY RRSIG NSEC DNSKEY "
    "DHCID NSEC3 NSEC3PARAM TLSA SMIMEA - HIP NINFO RKEY TALINK CDS CDNSKEY OPENPGPKEY CSYNC ZONEMD SVCB HTTPS "
    "DSYNC HHIT BRID"
).split()
TYPES = {name: number for number, name in enumerate(LOW_TYPES, 1)} | {
    "SPF": 99, "UINFO": 100, "UID": 101, "GID": 102, "UNSPEC": 103, "NID": 104, "L32": 105, "L64": 106, "LP": 107,
    "EUI48": 108, "EUI64": 109, "NXNAME": 128, "TKEY": 249, "TSIG": 250, "IXFR": 251, "AXFR": 252, "MAILB": 253,
    "MAILA": 254, "ANY": 255, "URI": 256, "CAA": 257, "AVC": 258, "DOI": 259, "AMTRELAY": 260, "RESINFO": 261,
    "WALLET": 262, "CLA": 263, "IPN": 264, "TA": 32768, "DLV": 32769,
}
# An item tells the data of these alone: an address or a name.
WITH_DATA = {"A", "AAAA", "CNAME", "NS", "PTR", "MX"}


def number(table, name):
    """The number of a name; one without a name ends in it."""
    return table[name] if name in table else int(re.search(r"\d+$", name)[0])


def name(text):
    """Items have blanks, and bytes above ASCII, as they are; control characters stay escaped."""
    def octet(escape):
        value = int(escape[1])
        return escape[0].encode() if value < 32 or value == 127 else bytes([value])

    raw = re.sub(rb"\\(\d{3})", lambda it: octet([it[0].decode(), it[1].decode()]), text.encode())
    raw = re.sub(rb"\\([.\\])", rb"\1", raw)
    return raw.decode("utf-8", "backslashreplace")


def answers(record):
    columns = [record.get(f"headertap.dns.answer.{column}", []) for column in ("names", "types", "ttls", "data")]
    for owner, rtype, ttl, data in zip(*columns):
        item = {"name": name(owner), "type": number(TYPES, rtype), "ttl": ttl}
        if rtype in WITH_DATA and not data.startswith("\\#"):
            item["data"] = name(data.split(" ")[-1])
        yield item


def message(record, endpoints, is_response):
    own = "" if is_response or "headertap.dns.query.flags" not in record else "query."
    counts = record[f"headertap.dns.{own}counts"]
    item = {"kind": "dns", **endpoints(record, answer=is_response), "response": is_response,
            "transport": record["network.transport"], "proto": record["network.protocol.name"],
            "id": record["headertap.dns.id"], "opcode": number(OPCODES, record["headertap.dns.opcode"]),
            "rcode": None, "answers": [] if own else list(answers(record)), "counts": counts}
    if is_response:
        # Of the header alone: it has four bits, and EDNS adds eight.
        item["rcode"] = number(RCODES, record["headertap.dns.response.code"]) % 16
    if counts[0] and "dns.question.name" in record:
        repeated = record.get("headertap.dns.response.question_name") if is_response else None
        item["qname"] = name(repeated or record["dns.question.name"])
        item["qtype"] = number(TYPES, record["headertap.dns.question.type"])
    return item


def lookup(record, endpoints):
    is_answered = "qr" in record["headertap.dns.flags"]
    if not is_answered or "headertap.dns.query.flags" in record:
        yield message(record, endpoints, False)
    if is_answered:
        yield message(record, endpoints, True)
