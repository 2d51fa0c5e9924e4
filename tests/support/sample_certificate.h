// A certificate with something in every field, as it could be of a real run; for tests and for
// looking at the page.
#pragma once

#include "certify/certificate.h"

namespace switchyard::certify {

Certificate SampleCertificate();
// The same chip with a fault planted in one operation.
Certificate SampleRefusal();

}  // namespace switchyard::certify
