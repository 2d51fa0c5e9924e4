#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <mutex>

#include "base/temporary_folder.h"
#include "net/http_post.h"
#include "net/http_server.h"
#include "tests/support/eventually.h"
#include "tests/support/raw_client.h"
#include "tests/support/test_certificate.h"

namespace switchyard::net {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
namespace asio = boost::asio;

// A client that blocks, with OpenSSL's own idea of TLS.
class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port) : port_(port), stream_(io_, context_) {}

  SSL* native() { return stream_.native_handle(); }
  SSL_CTX* context() { return context_.native_handle(); }

  bool Connect() {
    boost::system::error_code error;
    const asio::ip::tcp::endpoint server(asio::ip::make_address("127.0.0.1"), port_);
    stream_.next_layer().connect(server, error);
    if (!error) stream_.handshake(asio::ssl::stream_base::client, error);
    return !error;
  }
  bool Send(std::string_view bytes) {
    boost::system::error_code error;
    asio::write(stream_, asio::buffer(bytes), error);
    return !error;
  }
  // Up to and with `mark`; what came, if the other side ends it before.
  std::string ReadUntil(const std::string& mark) {
    boost::system::error_code error;
    std::size_t size = asio::read_until(stream_, asio::dynamic_buffer(seen_), mark, error);
    if (error) size = seen_.size();
    const std::string text = seen_.substr(0, size);
    seen_.erase(0, size);
    return text;
  }
  std::string Ask(const std::string& path) {
    Send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
    return ReadUntil("hello");
  }
  // The name in the certificate that the server showed.
  std::string ServerName() {
    const std::unique_ptr<X509, void (*)(X509*)> shown(SSL_get1_peer_certificate(native()),
                                                       &X509_free);
    char name[100] = "";
    if (shown) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(shown.get()), NID_commonName, name,
                                sizeof name);
    }
    return name;
  }
  void Close() { stream_.next_layer().close(); }

 private:
  std::uint16_t port_;
  asio::io_context io_;
  asio::ssl::context context_{asio::ssl::context::tls_client};
  asio::ssl::stream<asio::ip::tcp::socket> stream_;
  std::string seen_;
};

class Tls : public testing::Test {
 protected:
  void SetUp() override {
    authority_.Write(folder_.path(), "authority");
    server_.Write(folder_.path(), "server");
  }
  std::string File(const std::string& name) const { return folder_.path() / name; }
  TlsFiles Files() const { return {File("server.pem"), File("server.key"), ""}; }

  void Start(const TlsFiles& files, HttpServerOptions options = {}) {
    auto identity = TlsIdentity::Load(files);
    ASSERT_TRUE(identity) << identity.error().message;
    options.tls = identity_ = *identity;
    auto http = HttpServer::Start(std::move(options), [this](HttpRequest request, auto responder) {
      if (request.Path() == "/hold") {
        responder->OnGone([this] { ++gone_; });
        responder->BeginStream({});
        responder->Write("begun");
        const std::lock_guard lock(mutex_);
        held_.push_back(responder);
      } else {
        responder->Respond({.body = request.body.empty() ? "hello" : request.body});
      }
    });
    ASSERT_TRUE(http) << http.error().message;
    http_ = std::move(*http);
  }
  void TearDown() override {
    if (http_) http_->Stop();
    held_.clear();
  }
  std::uint16_t port() const { return http_->port(); }
  base::Result<int> Post(const std::string& body, std::string& answer) {
    HttpPostRequest post;
    post.url = fmt::format("https://127.0.0.1:{}/", port());
    post.body = body;
    post.ca_file = File("authority.pem");
    post.on_body = [&answer](std::string_view part) {
      answer += part;
      return true;
    };
    return HttpPost(post);
  }

  base::TemporaryFolder folder_;
  TestCertificate authority_{"authority"};
  TestCertificate server_{"first", &authority_};
  std::shared_ptr<TlsIdentity> identity_;  // with the server
  std::unique_ptr<HttpServer> http_;
  std::atomic<int> gone_ = 0;
  std::mutex mutex_;
  std::vector<std::shared_ptr<HttpResponder>> held_;  // with their connections
};

TEST_F(Tls, CarriesLongBodiesBothWaysToAClientThatChecksIt) {
  Start(Files());
  const std::string body(std::size_t{5} << 20, 'x');
  std::string answer;
  const auto status = Post(body, answer);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(*status, 200);
  EXPECT_EQ(answer, body);
}

TEST_F(Tls, KeepsAConnectionForManyRequests) {
  Start(Files());
  TlsClient client(port());
  ASSERT_TRUE(client.Connect());
  for (int i = 0; i < 20; ++i) ASSERT_THAT(client.Ask("/"), HasSubstr(" 200 OK")) << i;
  // Several at once, and a half one.
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT");
  EXPECT_THAT(client.ReadUntil("hello"), HasSubstr(" 200 OK"));
  EXPECT_THAT(client.ReadUntil("hello"), HasSubstr(" 200 OK"));
  client.Send("TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("hello"), HasSubstr(" 200 OK"));
  EXPECT_EQ(client.ReadUntil("more"), "");
  EXPECT_EQ(SSL_get_shutdown(client.native()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}

TEST_F(Tls, RefusesWhatIsOlderThan12AndOtherProtocols) {
  Start(Files());
  TlsClient old(port());
  SSL_CTX_set_security_level(old.context(), 0);
  SSL_set_min_proto_version(old.native(), TLS1_VERSION);
  SSL_set_max_proto_version(old.native(), TLS1_1_VERSION);
  EXPECT_FALSE(old.Connect());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(port());
    SSL_set_min_proto_version(client.native(), version);
    SSL_set_max_proto_version(client.native(), version);
    ASSERT_TRUE(client.Connect());
    EXPECT_THAT(client.Ask("/"), HasSubstr(" 200 OK"));
  }
  const auto offer = [](TlsClient& client, std::string_view protocols) {
    SSL_set_alpn_protos(client.native(), reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned int>(protocols.size()));
    return client.Connect();
  };
  TlsClient both(port());
  ASSERT_TRUE(offer(both, "\x02h2\x08http/1.1"));
  const unsigned char* chosen = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(both.native(), &chosen, &size);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(chosen), size), "http/1.1");
  TlsClient other(port());
  EXPECT_FALSE(offer(other, "\x02h2"));
}

TEST_F(Tls, SlowHandshakesHoldUpNobodyAndEnd) {
  HttpServerOptions options;
  options.header_timeout = milliseconds(300);
  Start(Files(), options);
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(std::make_unique<RawClient>(port()));
    if (i % 2 == 0) slow.back()->Send("\x16\x03\x01\x02");  // a handshake's first bytes
  }
  std::string answer;
  const auto status = Post("", answer);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(answer, "hello");
  for (const auto& client : slow) {
    client->ReadAll();
    EXPECT_TRUE(client->closed());
  }
}

TEST_F(Tls, ClosesOnWhoSpeaksInTheClear) {
  Start(Files());
  RawClient client(port());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), testing::Not(HasSubstr("hello")));
  EXPECT_TRUE(client.closed());
}

TEST_F(Tls, NoticesAClientThatGoes) {
  Start(Files());
  TlsClient client(port());
  ASSERT_TRUE(client.Connect());
  client.Send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("begun"), HasSubstr(" 200 OK"));
  client.Close();
  EXPECT_TRUE(Eventually([this] { return gone_ == 1; }));
}

TEST_F(Tls, ANewCertificateIsForNewConnectionsAndBreaksNoStream) {
  Start(Files());
  TlsClient before(port());
  ASSERT_TRUE(before.Connect());
  EXPECT_EQ(before.ServerName(), "first");
  before.Send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  before.ReadUntil("begun");

  TestCertificate("second", &authority_).Write(folder_.path(), "server");
  ASSERT_TRUE(identity_->Reload());
  TlsClient after(port());
  ASSERT_TRUE(after.Connect());
  EXPECT_EQ(after.ServerName(), "second");
  EXPECT_THAT(after.Ask("/"), HasSubstr(" 200 OK"));

  // A file that is broken changes nothing.
  std::ofstream(File("server.pem")) << "nonsense";
  EXPECT_FALSE(identity_->Reload());
  TlsClient still(port());
  ASSERT_TRUE(still.Connect());
  EXPECT_EQ(still.ServerName(), "second");

  const std::lock_guard lock(mutex_);
  held_.front()->Write("went on");
  EXPECT_THAT(before.ReadUntil("went on"), HasSubstr("went on"));
  held_.front()->EndStream();
}

TEST_F(Tls, ClientsMustShowACertificateWhereThatIsAsked) {
  TestCertificate("client", &authority_).Write(folder_.path(), "client");
  TlsFiles files = Files();
  files.client_ca = File("authority.pem");
  Start(files);
  TlsClient without(port());
  without.Connect();  // in TLS 1.3 the refusal comes after the client's end of it
  EXPECT_EQ(without.Ask("/"), "");
  TestCertificate("stranger").Write(folder_.path(), "stranger");
  const auto ask_as = [this](const std::string& name) {
    TlsClient client(port());
    SSL_use_certificate_file(client.native(), File(name + ".pem").c_str(), SSL_FILETYPE_PEM);
    SSL_use_PrivateKey_file(client.native(), File(name + ".key").c_str(), SSL_FILETYPE_PEM);
    client.Connect();
    return client.Ask("/");
  };
  EXPECT_EQ(ask_as("stranger"), "");
  EXPECT_THAT(ask_as("client"), HasSubstr(" 200 OK"));
}

TEST_F(Tls, RefusalsNameTheFile) {
  const auto refusal = [](const TlsFiles& files) {
    const auto identity = TlsIdentity::Load(files);
    return identity ? std::string() : identity.error().message;
  };
  EXPECT_EQ(refusal(Files()), "");
  EXPECT_THAT(refusal({"/nowhere.pem", File("server.key"), ""}), HasSubstr("/nowhere.pem"));
  EXPECT_THAT(refusal({File("server.pem"), "/nowhere.key", ""}), HasSubstr("/nowhere.key"));
  EXPECT_THAT(refusal({File("server.pem"), File("authority.key"), ""}), HasSubstr("authority.key"));
  EXPECT_THAT(refusal({File("server.pem"), File("server.key"), "/nowhere.ca"}),
              HasSubstr("/nowhere.ca"));
  const auto identity = TlsIdentity::Load(Files());
  ASSERT_TRUE(identity);
  const std::int64_t left = (*identity)->valid_until() - std::time(nullptr);
  EXPECT_GT(left, 3500);
  EXPECT_LE(left, 3600);
}

}  // namespace
}  // namespace switchyard::net
