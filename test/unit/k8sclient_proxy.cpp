#include "k8sclient/proxy.h"

#include "test/support/catch.h"
#include "test/support/environment.h"

using namespace routelet;
using namespace routelet::test;
using k8s::NoProxy;
using k8s::Proxy;

TEST_CASE("a proxy's URL may be written in several ways", "[k8sclient][proxy]")
{
    struct Case {
        std::string text;
        std::string url;
    };
    const auto c = GENERATE(
        Case{"http://proxy:3128", "http://proxy:3128"}, Case{"HTTP://proxy:3128/", "http://proxy:3128"},
        Case{"proxy:3128", "http://proxy:3128"}, Case{"http://proxy", "http://proxy:80"},
        Case{"http://[fd00::1]:8", "http://[fd00::1]:8"}, Case{"socks5://proxy", "socks5://proxy:1080"},
        Case{"socks5h://10.0.0.1:1", "socks5://10.0.0.1:1"});
    const auto proxy = need(k8s::parse_proxy_url(c.text));
    CHECK(proxy.url() == c.url);
    CHECK(proxy.user.empty());
}

TEST_CASE("user and password of a proxy are percent-decoded, and in no text", "[k8sclient][proxy]")
{
    const auto proxy = need(k8s::parse_proxy_url("http://me%40home:S3%3aRET%25@proxy:3128"));
    CHECK(proxy.user == "me@home");
    CHECK(proxy.password.reveal() == "S3:RET%");
    CHECK(proxy.url() == "http://proxy:3128");
}

TEST_CASE("a proxy that cannot be used is refused with what is supported, and without its password",
          "[k8sclient][proxy]")
{
    struct Case {
        std::string text;
        std::string says;
    };
    const auto c =
        GENERATE(Case{"https://me:S3CRET@proxy", "over TLS (https://) is not supported: use its http://"},
                 Case{"ftp://me:S3CRET@proxy", "http://HOST:PORT and socks5://HOST:PORT are supported"},
                 Case{"http://me:S3CRET%@proxy", "% is written as %25"},
                 Case{"http://me%3a:S3CRET@proxy", "the user holds a colon"},
                 Case{"http://me:S3CRET@proxy/path", "no path behind it"},
                 Case{"http://me:S3CRET@", "it should read http://HOST:PORT"},
                 Case{"http://me:S3CRET@:80", "it should read"},
                 Case{"http://me:S3CRET@h:0", "it should read"}, Case{"", "it should read"});
    const auto proxy = k8s::parse_proxy_url(c.text);
    REQUIRE(proxy.has_error());
    CHECK_THAT(proxy.error().text(), has_text(c.says));
    CHECK(proxy.error().text().find("S3CRET") == std::string::npos);
}

TEST_CASE("what NO_PROXY names is reached directly", "[k8sclient][proxy]")
{
    struct Case {
        std::string list;
        std::string host;
        bool covered;
    };
    const auto c = GENERATE(
        Case{"", "10.0.0.1", false}, Case{"", "127.0.0.1", true}, Case{"", "::1", true},
        Case{"", "localhost", true}, Case{"*", "api.example", true}, Case{"10.0.0.1", "10.0.0.1", true},
        Case{"10.0.0.1", "10.0.0.11", false}, Case{"10.0.0.0/8", "10.9.9.9", true},
        Case{"10.1.2.3/8", "10.9.9.9", true}, Case{"10.0.0.0/8", "11.0.0.1", false},
        Case{"10.0.0.0/33", "10.0.0.0", false}, Case{"fd00::/8", "fd12::1", true},
        Case{"fd00::1", "fd00:0::1", true}, Case{"[fd00::1]", "fd00::1", true},
        Case{" x , 10.0.0.0/8 ,", "10.0.0.1", true}, Case{"example.com", "example.com", true},
        Case{"example.com", "API.Example.com", true}, Case{"example.com", "badexample.com", false},
        Case{".example.com", "api.example.com", true}, Case{".example.com", "example.com", false},
        Case{"*.example.com", "api.example.com", true}, Case{"api:6443", "api", true},
        Case{"api:443", "api", false}, Case{"10.0.0.1:6443", "10.0.0.1", true},
        Case{"10.0.0.1:443", "10.0.0.1", false}, Case{"0.0.1", "10.0.0.1", false});
    CAPTURE(c.list, c.host);
    CHECK(NoProxy(c.list).covers(c.host, 6443) == c.covered);
}

TEST_CASE("the environment may name a proxy, and servers without", "[k8sclient][proxy]")
{
    Environment environment;
    for (const char* name : {"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"})
        environment.set(name, std::nullopt);
    CHECK(need(k8s::proxy_from_environment()).for_server("api", 443) == nullptr);

    environment.set("https_proxy", "http://low:1");
    environment.set("no_proxy", "10.0.0.0/8");
    const auto rule = need(k8s::proxy_from_environment());
    CHECK(rule.for_server("10.0.0.1", 443) == nullptr);
    REQUIRE(rule.for_server("api", 443) != nullptr);
    CHECK(rule.for_server("api", 443)->host == "low");

    environment.set("HTTPS_PROXY", "http://high:1");
    CHECK(need(k8s::proxy_from_environment()).for_server("api", 443)->host == "high");
    environment.set("HTTPS_PROXY", "https://me:S3CRET@h");
    const auto wrong = k8s::proxy_from_environment();
    REQUIRE(wrong.has_error());
    CHECK_THAT(wrong.error().text(), has_text("HTTPS_PROXY: proxy: "));
}
